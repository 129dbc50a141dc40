"""Breaks the source on purpose, one rule at a time, and sees whether a test notices.

A mutant is a file `tests/mutants/NAME.diff`: first lines of the form

    Removes: the rule, in words
    Tests: tests/core/test_x.py tests/flow/test_y.py::test_z
    Seeds: 200

then a patch. Each is applied to a copy of the tree. It must apply; every module must still import;
the named tests must pass without the patch and at least one must *fail* with it, or, with `Seeds`,
the simulation must find a broken promise within so many seeds. Anything else fails this script.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
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


def outcomes(tree: Path, tests: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Run tests; give those that failed and those that could not even run, with the reason."""
    report = tree / "report.xml"
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={report}"]
    done = run([sys.executable, "-m", "pytest", *options, *tests], tree)
    if not report.exists() or done.returncode not in {0, 1, 2}:
        raise Broken(f"the tests did not run: {(done.stdout + done.stderr)[-600:]}")
    failed, unable = [], []
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
        for failure in case.iter("failure"):
            message = failure.get("message") or ""
            (unable if message.startswith(IMPORT_ERRORS) else failed).append(
                f"{name}: {message.splitlines()[0][:100]}"
            )
        unable += [f"{name}: {(error.get('message') or '')[:100]}" for error in case.iter("error")]
    if done.returncode and not failed and not unable:
        raise Broken(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
    return failed, unable


def simulated(tree: Path, seeds: int) -> list[str]:
    """Play seeds until one breaks a promise; give it."""
    done = run([sys.executable, "-c", SIMULATE, str(seeds)], tree)
    if done.returncode not in {0, 1}:
        raise Broken(f"the simulation did not run: {(done.stdout + done.stderr)[-600:]}")
    return [done.stdout.strip()] if done.returncode else []


def imports(tree: Path) -> None:
    """Import every module of a copy."""
    done = run([sys.executable, "-c", IMPORT_ALL], tree)
    if done.returncode:
        raise Broken(f"it cannot be imported: {done.stderr.strip().splitlines()[-1]}")


def kill(mutant: Mutant, folder: Path) -> list[str]:
    """Apply a mutant to a copy and give the names of the tests that fail. Raises Broken."""
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
    failed, unable = outcomes(tree, mutant.tests) if mutant.tests else ([], [])
    if not failed and not unable and mutant.seeds:
        failed = simulated(tree, mutant.seeds)
    if unable:
        raise Broken(f"the tests cannot run with it: {unable[0]}")
    if not failed:
        seeds = f"{mutant.seeds} seeds" if mutant.seeds else ""
        raise Broken(f"no test notices: {' '.join([*mutant.tests, seeds])}")
    return failed


def healthy(mutants: list[Mutant], folder: Path) -> Iterator[str]:
    """Give what is wrong without any mutant: a test that fails anyway notices nothing."""
    tree = folder / "healthy"
    copy(tree)
    tests = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    failed, unable = outcomes(tree, tests) if tests else ([], [])
    yield from [*failed, *unable]
    yield from simulated(tree, max(mutant.seeds for mutant in mutants))


def main(names: list[str]) -> int:
    """Try the mutants that were named, or all; 1 when any survives or is no good."""
    paths = sorted(HERE.glob("*.diff"))
    paths = [path for path in paths if not names or path.stem in names]
    if not paths:
        print("no such mutant" if names else "there are no mutants")
        return 1
    bad = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as made:
        folder = Path(made)
        try:
            mutants = [read(path) for path in paths]
            sick = list(healthy(mutants, folder))
        except Broken as error:
            print(f"cannot start: {error}")
            return 1
        if sick:
            print("these fail without any mutant:", *sick, sep="\n  ")
            return 1
        for mutant in mutants:
            began = time.monotonic()
            try:
                by = kill(mutant, folder)[0]
                said = f"killed   {mutant.name} (removes {mutant.removes}) by {by}"
            except Broken as error:
                bad += 1
                said = f"SURVIVES {mutant.name} (removes {mutant.removes}): {error}"
            print(f"{said} ({time.monotonic() - began:.0f} s)", flush=True)
            shutil.rmtree(folder / mutant.name, ignore_errors=True)
    print(f"{len(paths) - bad} of {len(paths)} mutants killed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
