"""The scripts' own environment: made once, mended when it is not whole, refused in a sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "environment"
FAKE = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
    -c*) echo {version} ;;
    "-m venv"*) {venv} ;;
    "-m pip --version") test -e .venv/pip ;;
    "-m pip install"*) test ! -e offline ;;
esac
"""
MADE = 'rm -rf .venv; mkdir -p .venv/bin; touch .venv/pip; cp "$0" .venv/bin/python'

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are for bash")


class Folder:
    """A checkout with a space in its name, and a Python that only writes down what it is asked."""

    def __init__(self, path: Path):
        self.path, self.log = path / "a studio", path / "log"
        self.path.mkdir()
        (self.path / "requirements.txt").write_text("one==1\n")
        self.python = path / "some python"

    def fake(self, version: str = "3.11", venv: str = MADE) -> None:
        self.python.write_text(FAKE.format(version=version, venv=venv))
        self.python.chmod(0o755)

    def install(self) -> tuple[int, str, list[str]]:
        """Exit status, what was said, and what Python was asked to do."""
        self.log.write_text("")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f". '{SCRIPT}'; install_once requirements.txt"],
            cwd=self.path,
            env={"PATH": os.environ["PATH"], "PYTHON": str(self.python), "LOG": str(self.log)},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stderr, self.log.read_text().splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.fake()
    return made


def installs(asked: list[str]) -> int:
    return sum(line.startswith("-m pip install") for line in asked)


def test_what_is_installed_is_not_asked_for_again(folder: Folder) -> None:
    status, said, asked = folder.install()
    assert (status, installs(asked)) == (0, 1)
    assert "Installing requirements.txt" in said
    assert folder.install() == (0, "", [])
    (folder.path / "requirements.txt").write_text("one==2\n")
    status, said, asked = folder.install()
    assert (status, installs(asked)) == (0, 1)
    assert not any("venv" in line for line in asked)


def test_an_interrupted_install_is_taken_up_again(folder: Folder) -> None:
    (folder.path / "offline").touch()
    assert folder.install()[0] != 0
    (folder.path / "offline").unlink()
    status, _, asked = folder.install()
    assert (status, installs(asked)) == (0, 1)


@pytest.mark.parametrize("lost", ["pip", "bin/python"])
def test_an_environment_that_is_not_whole_is_made_anew(folder: Folder, lost: str) -> None:
    folder.install()
    (folder.path / ".venv" / lost).unlink()
    (folder.path / "requirements.txt").write_text("one==2\n")
    status, _, asked = folder.install()
    assert (status, installs(asked)) == (0, 1)
    assert "-m venv --clear .venv" in asked


def test_an_older_python_is_refused(folder: Folder) -> None:
    folder.fake("3.9")
    status, said, _ = folder.install()
    assert status != 0
    assert f"Python 3.11 is needed; {folder.python} is 3.9." in said
    assert not (folder.path / ".venv").exists()


def test_a_newer_python_is_told_and_taken(folder: Folder) -> None:
    folder.fake("3.13")
    status, said, asked = folder.install()
    assert (status, installs(asked)) == (0, 1)
    assert f"checked on Python 3.11; {folder.python} is 3.13" in said


def test_no_python_is_told(folder: Folder) -> None:
    folder.python.unlink()
    status, said, _ = folder.install()
    assert status != 0
    assert "did not run" in said


def test_a_python_without_its_venv_module_is_told(folder: Folder) -> None:
    folder.fake(venv="exit 1")
    status, said, asked = folder.install()
    assert status != 0
    assert "python3-venv" in said
    assert installs(asked) == 0


NPM = """#!/bin/sh
echo "$*" >> "$LOG"
mkdir -p node_modules
test ! -e offline
"""


def packages(folder: Folder) -> tuple[int, list[str]]:
    """Exit status of installing the packages of package-lock.json, and what npm was asked to do."""
    npm = folder.path / ".venv" / "bin" / "npm"
    npm.parent.mkdir(parents=True, exist_ok=True)
    npm.write_text(NPM)
    npm.chmod(0o755)
    folder.log.write_text("")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". '{SCRIPT}'; install_packages"],
        cwd=folder.path,
        env={"PATH": os.environ["PATH"], "LOG": str(folder.log)},
        capture_output=True,
    )
    return done.returncode, folder.log.read_text().splitlines()


def test_packages_are_installed_once_for_each_lock(folder: Folder) -> None:
    lock, asked = folder.path / "package-lock.json", ["ci --silent --no-audit --no-fund"]
    lock.write_text("{}")
    (folder.path / "offline").touch()
    assert packages(folder) == (1, asked)
    (folder.path / "offline").unlink()
    assert packages(folder) == (0, asked)
    assert packages(folder) == (0, [])
    lock.write_text("{ }")
    assert packages(folder) == (0, asked)
