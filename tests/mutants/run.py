"""Breaks the source on purpose, one rule at a time, and sees whether a test notices.

A mutant is a file `tests/mutants/NAME.diff`: first lines of the form

    Removes: the rule, in words
    Tests: tests/core/test_x.py tests/flow/test_y.py::test_z
    Seeds: 200

then a patch. Each is applied to a copy of the tree. It must apply; every module must still import;
one of the named tests must *fail* with it, and must pass without it, or, with `Seeds`, the
simulation must find a broken promise within so many seeds. Anything else fails this script.

The test that noticed a mutant is kept in `var/mutants`, and is the first that is run the next time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
REMEMBERED = ROOT / "var" / "mutants"
"""Where pytest keeps, for each mutant, which tests failed."""
PARTS = (
    "bridge",
    "jobs",
    "tests",
    "mappings",
    "config",
    "docs",
    "bench",
    "pyproject.toml",
    "requirements.lock",
)
PARTS += ("Makefile", "Procfile", "README.md", "CHANGELOG.md", "LICENSE", ".ci")
LONGEST = 1800
IMPORT_ALL = (
    "import importlib, pkgutil, bridge, jobs\n"
    "for package in (bridge, jobs):\n"
    "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
    "        if not module.name.endswith('__main__') and '.migrations.' not in module.name:\n"
    "            importlib.import_module(module.name)\n"
)
SIMULATE = (
    "import logging, sys\n"
    "from bridge.simulate.seeds import play_seed\n"
    "logging.disable(logging.CRITICAL)\n"
    "for seed in range(int(sys.argv[1])):\n"
    "    found = play_seed(seed)\n"
    "    if not found.ok:\n"
    "        print(f'seed {seed}: {found.broken[0][:160]}')\n"
    "        sys.exit(1)\n"
)
IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError", "SyntaxError", "NameError")


@dataclass(frozen=True)
class Mutant:
    """One patch, what it removes, and the tests that should notice."""

    path: Path
    removes: str
    tests: tuple[str, ...]
    seeds: int = 0

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True)
class Noticed:
    """A test that failed, or seeds that broke a promise."""

    test: str
    """As pytest names it on its command line; empty: seeds."""
    how: str

    def __str__(self) -> str:
        return f"{self.test}: {self.how}" if self.test else self.how


class Broken(Exception):
    """The mutant itself is no good, or nothing notices it."""


def read(path: Path) -> Mutant:
    """Read a mutant's head."""
    head: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.startswith(("diff ", "--- ")):
            break
        name, colon, value = line.partition(":")
        if colon:
            head[name.strip().lower()] = value.strip()
    if not head.get("removes") or not (head.get("tests") or head.get("seeds")):
        raise Broken("its head must have `Removes:`, and `Tests:` or `Seeds:`")
    return Mutant(
        path, head["removes"], tuple(head.get("tests", "").split()), int(head.get("seeds", "0"))
    )


def copy(target: Path) -> None:
    """Copy the tree, without what is generated."""
    target.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "*.pyc", ".venv", "var")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=skip)
        elif source.exists():
            shutil.copy2(source, target / part)


def run(command: list[str], tree: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy, so that it imports the copy and nothing else."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command,
            cwd=tree,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Broken(f"it took longer than {LONGEST} s: {' '.join(command)[:200]}") from None


def outcomes(
    tree: Path, tests: Sequence[str], *, remembered: str = ""
) -> tuple[list[Noticed], list[str]]:
    """Run tests up to the first that fails; give that, and those that could not even run.

    `remembered`: under this name, what failed the last time comes first. Else all are run.
    """
    report = tree / "report.xml"
    options = ["-q", "-p", "no:xdist", "-o", "junit_family=xunit1", f"--junitxml={report}"]
    if remembered:
        options += ["-x", "--failed-first", "-o", f"cache_dir={REMEMBERED / remembered}"]
    else:
        options += ["-p", "no:cacheprovider"]
    done = run([sys.executable, "-m", "pytest", *options, *tests], tree)
    if not report.exists() or done.returncode not in {0, 1, 2}:
        raise Broken(f"the tests did not run: {(done.stdout + done.stderr)[-600:]}")
    failed, unable = [], []
    for case in ET.parse(report).iter("testcase"):
        for failure in case.iter("failure"):
            message = failure.get("message") or ""
            noticed = Noticed(node_id(case, tree), message.splitlines()[0][:100] if message else "")
            if message.startswith(IMPORT_ERRORS):
                unable.append(str(noticed))
            else:
                failed.append(noticed)
        errors = [error.get("message") or "" for error in case.iter("error")]
        unable += [f"{node_id(case, tree)}: {message[:100]}" for message in errors]
    if done.returncode and not failed and not unable:
        raise Broken(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
    return failed, unable


def node_id(case: ET.Element, tree: Path) -> str:
    """Give what pytest's command line calls a test of its report, where the tests are in `tree`.

    An inherited test is of the file of its class, and not of that in which it is written.
    """
    of, name = case.get("classname", "").split("."), case.get("name", "")
    length = next(
        n for n in range(len(of), 0, -1) if (tree / Path(*of[:n])).with_suffix(".py").exists()
    )
    return "::".join([f"{'/'.join(of[:length])}.py", *of[length:], name])


def simulated(tree: Path, seeds: int) -> list[Noticed]:
    """Play seeds until one breaks a promise; give it."""
    done = run([sys.executable, "-c", SIMULATE, str(seeds)], tree)
    if done.returncode not in {0, 1}:
        raise Broken(f"the simulation did not run: {(done.stdout + done.stderr)[-600:]}")
    return [Noticed("", done.stdout.strip())] if done.returncode else []


def imports(tree: Path) -> None:
    """Import every module of a copy."""
    done = run([sys.executable, "-c", IMPORT_ALL], tree)
    if done.returncode:
        raise Broken(f"it cannot be imported: {done.stderr.strip().splitlines()[-1]}")


def kill(mutant: Mutant, folder: Path) -> Noticed:
    """Apply a mutant to a copy and give the test that fails. Raises Broken."""
    tree = folder / mutant.name
    copy(tree)
    # Outside of any repository, so that the patch is read against the folder itself.
    environ = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder)}
    applied = subprocess.run(
        ["git", "apply", "-p1", str(mutant.path)],
        cwd=tree,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if applied.returncode:
        raise Broken(f"it does not apply any more: {applied.stderr.strip()}")
    imports(tree)
    failed: list[Noticed] = []
    unable: list[str] = []
    if mutant.tests:
        failed, unable = outcomes(tree, mutant.tests, remembered=mutant.name)
    if not failed and not unable and mutant.seeds:
        failed = simulated(tree, mutant.seeds)
    if unable:
        raise Broken(f"the tests cannot run with it: {unable[0]}")
    if not failed:
        seeds = f"{mutant.seeds} seeds" if mutant.seeds else ""
        raise Broken(f"no test notices: {' '.join([*mutant.tests, seeds])}")
    return failed[0]


def fail_anyway(killers: Sequence[Noticed], seeds: int, folder: Path) -> list[str]:
    """Give what fails without any mutant, too: that has noticed nothing."""
    tree = folder / "healthy"
    copy(tree)
    tests = sorted({killer.test for killer in killers if killer.test})
    failed, unable = outcomes(tree, tests) if tests else ([], [])
    if any(not killer.test for killer in killers):
        failed += simulated(tree, seeds)
    return [*map(str, failed), *unable]


def main(names: list[str]) -> int:
    """Try the mutants that were named, or all; 1 when any survives or is no good."""
    paths = sorted(HERE.glob("*.diff"))
    paths = [path for path in paths if not names or path.stem in names]
    if not paths:
        print("no such mutant" if names else "there are no mutants")
        return 1
    killers: list[Noticed] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as made:
        folder = Path(made)
        try:
            mutants = [read(path) for path in paths]
        except Broken as error:
            print(f"cannot start: {error}")
            return 1
        for mutant in mutants:
            began = time.monotonic()
            try:
                killers.append(kill(mutant, folder))
                said = f"killed   {mutant.name} (removes {mutant.removes}) by {killers[-1]}"
            except Broken as error:
                said = f"SURVIVES {mutant.name} (removes {mutant.removes}): {error}"
            print(f"{said} ({time.monotonic() - began:.0f} s)", flush=True)
            shutil.rmtree(folder / mutant.name, ignore_errors=True)
        try:
            sick = fail_anyway(killers, max(mutant.seeds for mutant in mutants), folder)
        except Broken as error:
            sick = [str(error)]
    print(f"{len(killers)} of {len(paths)} mutants killed")
    if sick:
        print("but these fail without any mutant, too:", *sick, sep="\n  ")
    return 1 if sick or len(killers) < len(paths) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
