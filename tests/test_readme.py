"""Every command that README shows, read by the parser of the tool that it calls."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub.utils import filter_repo_objects

from fmstudio.__main__ import _parser as command_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = ("scripts/", ".venv/", ".venv\\", "py ", "python ", "hf ", "pip ", "--")


def commands() -> list[list[str]]:
    """The words of every command: of the shell blocks, and of code spans that call something."""
    blocks = re.findall(r"^```(?:bash|sh|shell|console)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", README, flags=re.M | re.S))
    lines += [part for span in spans for part in span.split(" & ") if part.startswith(PROGRAMS)]
    # Windows paths keep their backslashes; a comment is a comment.
    split = [shlex.split(line.replace("\\", "/"), comments=True) for line in lines]
    return [words for words in split if words]


def calls(program: str) -> list[list[str]]:
    """What follows the program's name in each of its commands."""
    found = [words[1:] for words in commands() if words[0].removeprefix(".venv/bin/") == program]
    assert found, program
    return found


def test_every_command_is_one_that_is_read_here() -> None:
    known = {"scripts/run", "scripts/check", "python", "py", "hf"}
    windows = {f".venv/Scripts/{name}" for name in ("pip", "python", "playwright", "pytest")}
    for words in commands():
        name = words[0].removeprefix(".venv/bin/")
        assert name in known | windows or name.startswith("--"), words


def test_the_studio_takes_the_options_that_are_named() -> None:
    parser = runpy.run_path(str(ROOT / "app.py"))["parser"]
    given = parser.parse_args(max(calls("scripts/run"), key=len))
    assert (given.host, given.port, given.no_browser, given.share) == ("0.0.0.0", 8000, True, True)
    for arguments in calls("scripts/run"):
        parser.parse_args(arguments)
    # An option that stands alone in the text, with its value where it has one.
    for words in commands():
        if words[0].startswith("--"):
            parser.parse_args(words if len(words) > 1 else [*words, "1"])


def test_the_command_line_takes_its_commands() -> None:
    for words in calls("python"):
        assert words[:2] == ["-m", "fmstudio"]
        given = command_parser().parse_args(words[2:])
        assert given.out.startswith("runs/")


def test_requirements_and_scripts_that_are_named_are_there() -> None:
    named = [word for words in commands() for word in words if word.startswith(("requirements", "scripts/"))]
    assert named
    assert all((ROOT / word).is_file() for word in named)


@pytest.fixture
def uploaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What hf's own command asks the Hub's client to upload; nothing is sent."""
    from huggingface_hub.cli import upload
    from huggingface_hub.cli.hf import app

    asked: dict[str, Any] = {}

    def upload_folder(**given: Any) -> str:
        asked.update(given)
        return "done"

    client = SimpleNamespace(
        create_repo=lambda repo_id, **_: SimpleNamespace(repo_id=repo_id), upload_folder=upload_folder
    )
    monkeypatch.setattr(upload, "get_hf_api", lambda token=None: client)
    monkeypatch.chdir(ROOT)
    (arguments,) = (words for words in calls("hf") if words[0] == "upload")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return asked


def test_the_space_gets_the_studio_at_its_root(uploaded: dict[str, Any]) -> None:
    assert uploaded["repo_type"] == "space"
    assert uploaded["folder_path"] == "."
    assert uploaded["path_in_repo"] in (None, "", ".")
    assert {".venv/*", "runs/*"} <= set(uploaded["ignore_patterns"])
    files = [
        "app.py",
        "models/a/net.safetensors",
        ".venv/bin/python",
        "runs/moons/net.safetensors",
        "a/b.pyc",
    ]
    kept = filter_repo_objects(files, ignore_patterns=uploaded["ignore_patterns"])
    assert list(kept) == files[:2]


def test_the_space_is_logged_in_to_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.cli import auth
    from huggingface_hub.cli.hf import app

    called: list[bool] = []
    monkeypatch.setattr(auth, "login", lambda **_: called.append(True))
    (arguments,) = (words for words in calls("hf") if words[0] == "auth")
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert called == [True]
