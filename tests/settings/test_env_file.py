"""`.env` of a home: below the environment, above the defaults, never shown."""

import pytest

from bridge.config.env_file import MAX_ENV_BYTES, read_env_file
from tests.settings.builders import BRIDGE, ENVIRON, SANDBOX, home, loaded, problems

KEYS = "".join(f'{name}="{value}"\n' for name, value in ENVIRON.items())


def write(tmp_path, text, mode=0o600):
    path = tmp_path / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def test_a_home_with_its_keys_in_env_needs_no_environment(tmp_path):
    write(tmp_path, KEYS)
    alone, given = loaded(tmp_path, environ={}), loaded(tmp_path, environ=ENVIRON)
    assert alone.connections == given.connections


def test_the_environment_goes_first_unless_it_is_empty(tmp_path):
    write(tmp_path, "A=file\nB=file\nC=file\n")
    found = read_env_file(tmp_path).below({"A": "environment", "B": ""})
    assert found == {"A": "environment", "B": "file", "C": "file"}


def test_spellings_that_people_use(tmp_path):
    write(
        tmp_path,
        "\ufeff# keys\nexport A=1\nB = 'two words'  # why\nC=\"x\\ny\"\nD=${A}\nE=a#b\nF=\r\n\n",
    )
    found = read_env_file(tmp_path)
    assert found.problems == []
    assert found.values == {
        "A": "1", "B": "two words", "C": "x\ny", "D": "${A}", "E": "a#b", "F": "",
    }  # fmt: skip


def test_every_line_that_is_not_understood_is_named_and_none_is_shown(tmp_path):
    write(tmp_path, KEYS + "S3CRET\n=S3CRET\nX='S3CRET\n")
    home(tmp_path)
    lines = problems(tmp_path, environ={})
    first = KEYS.count("\n") + 1
    assert [line.partition(": ")[0] for line in lines] == [
        f".env:{first}", f".env:{first + 1}", f".env:{first + 2}",
    ]  # fmt: skip
    assert all("allowed NAME=value" in line and "S3CRET" not in line for line in lines)


@pytest.mark.parametrize("raw", [b"A=\xff", b"A=" + b"x" * MAX_ENV_BYTES])
def test_what_cannot_be_read_is_one_problem(tmp_path, raw):
    write(tmp_path, raw)
    assert len(read_env_file(tmp_path).problems) == 1


def test_a_folder_of_that_name_is_one_problem(tmp_path):
    (tmp_path / ".env").mkdir()
    ((file, line, what),) = read_env_file(tmp_path).problems
    assert (file, line) == (".env", 1)
    assert "cannot be read" in what


def test_a_file_that_others_can_read_is_warned_of(tmp_path):
    write(tmp_path, KEYS, mode=0o644)
    (warning,) = [line for line in loaded(tmp_path, environ={}).warnings if ".env" in line]
    assert "chmod 600" in warning
    write(tmp_path, KEYS, mode=0o600)
    assert not [line for line in loaded(tmp_path, environ={}).warnings if ".env" in line]


def test_a_sandbox_reads_none(tmp_path):
    write(tmp_path, "S3CRET\n")
    loaded(tmp_path, sandbox=SANDBOX, bridge=BRIDGE)
