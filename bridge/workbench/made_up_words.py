"""Made-up words and digits in place of somebody's, in the same form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_CONSONANTS: Final = "bdfgklmnprstvz"
_VOWELS: Final = "aeiou"
_TRIES: Final = 50


class MadeUpWords:
    """Words and digits of one record: what was the same is the same afterwards."""

    def __init__(self, taken: Iterable[str]) -> None:
        """`taken`: words that none that is made up may be taken for."""
        self._words: dict[str, str] = {}
        self._avoided = {word.casefold() for word in taken}
        self._digits: dict[str, str] = {}
        self._of_length: dict[int, int] = {}

    def word(self, word: str) -> str:
        """Return a made-up word of the same length and with the same capitals."""
        key = word.casefold()
        if key not in self._words:
            made = self._fresh(len(self._words), len(word), key)
            self._words[key] = made
            self._avoided.add(made)
        return _with_capitals(self._words[key], word)

    def next_word(self, word: str, number: int) -> str:
        """Return the made-up word of this number, whichever it stands for."""
        return _with_capitals(self._fresh(number, len(word), word.casefold()), word)

    def digits(self, digits: str) -> str:
        """Return as many digits, and not the same."""
        if digits not in self._digits:
            length = len(digits)
            number = self._of_length[length] = self._of_length.get(length, 0) + 1
            made = _cut(number, length)
            self._digits[digits] = made if made != digits else _cut(number + 5, length)
        return self._digits[digits]

    def next_digits(self, digits: str, number: int) -> str:
        """Return as many digits, whichever they stand for."""
        made = _cut(number, len(digits))
        return made if made != digits else _cut(number + 5, len(digits))

    def _fresh(self, number: int, length: int, own: str) -> str:
        """Return a word that nothing else is called, or at least not the one it stands for."""
        tried = [_spelled(number + each, length) for each in range(_TRIES)]
        not_own = (made for made in tried if made != own)
        return next((made for made in tried if made not in self._avoided), next(not_own))


def _spelled(number: int, length: int) -> str:
    letters = []
    for place in range(length):
        alphabet = _VOWELS if place % 2 else _CONSONANTS
        number, letter = divmod(number, len(alphabet))
        letters.append(alphabet[letter])
    return "".join(letters)


def _with_capitals(made: str, like: str) -> str:
    made = (made * len(like))[: len(like)]  # folding may have made a word longer
    return "".join(
        letter.upper() if model.isupper() else letter
        for letter, model in zip(made, like, strict=True)
    )


def _cut(number: int, length: int) -> str:
    return f"{number % 10 ** min(length, 9):0{length}d}"
