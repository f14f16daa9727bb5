"""ES modules of ``assets/js`` as one script, so that a page fetches one file and needs no bundler.

Every module becomes a function that returns what it exports, called once, in the order of their imports::

    const colour_js = (() => { …; return { css, readTheme }; })();
    const marks_js = (() => { const { css } = colour_js; …; return { drawAxes }; })();

so that names which two modules use for themselves do not meet. Read are ``import { a, b as c } from "…";``
and ``export`` before a declaration that begins a line; anything else of either kind is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fmstudio.folders import ASSETS
from fmstudio.plots.palette import css_variables

FOLDER = ASSETS / "js"
"""Where the modules are."""

GIVEN = FOLDER / "given.js"
"""The module whose exports Python fills in."""

_IMPORT = re.compile(r'^import \{([\w\s,]+)\} from "(\.{1,2}/[\w./-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function\*?|class|const) (\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_TYPES = r"/\*\*(?:[^*]|\*(?!/))*\*/"
_COMMENT = re.compile(rf"^[ \t]*(?:{_TYPES}|//[^\n]*)\n|{_TYPES} ?", re.MULTILINE)


def linked(entry: Path, given: Mapping[str, str] | None = None) -> str:
    """A module and all that it imports as one script, without its comments.

    Args:
        entry: the module to run.
        given: texts that the modules import from `GIVEN`, by name; the script's own text stands there, too,
            as ``SCRIPT``: a Worker is made of it without a request.

    Returns:
        A script in strict mode and a scope of its own. It holds no "</script", so it may stand inside a page.

    Raises:
        ValueError: modules import each other in a circle or what is not exported, or say import or export in
            another way.
        FileNotFoundError: a module that is imported is not there.
    """
    done: dict[Path, str] = {}
    _link(entry.resolve(), (), done, given or {})
    return "\n".join(['(function script() {\n"use strict";', *done.values(), "})();"]).replace(
        "</script", "<\\/script"
    )


def _link(module: Path, chain: tuple[Path, ...], done: dict[Path, str], given: Mapping[str, str]) -> None:
    if module in chain:
        raise ValueError("Modules import each other: " + " → ".join(p.name for p in (*chain, module)))
    if module in done:
        return
    if module == GIVEN:
        source = "".join(f"export const {name} = {_literal(text)};\n" for name, text in given.items())
        source += "export const SCRIPT = `(${script})();`;\n"
    else:
        source = _COMMENT.sub("", module.read_text("utf-8"))
    for names, address in _IMPORT.findall(source):
        other = (module.parent / address).resolve()
        _link(other, (*chain, module), done, given)
        for name in re.findall(r"(\w+)(?: as \w+)?", names):
            if name not in re.findall(r"\w+", done[other].rpartition("return {")[2]):
                raise ValueError(f"{module.name}: {other.name} has no export that begins a line with {name}.")
    exports = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(lambda m: _taken(m, module), source))
    if left := _LEFT.search(body):
        raise ValueError(f"{module.name}: this import or export cannot be linked: {left[0]}")
    done[module] = f"const {_name(module)} = (() => {{\n{body}return {{ {exports} }};\n}})();"


def _taken(match: re.Match[str], module: Path) -> str:
    names = " ".join(match[1].split()).replace(" as ", ": ")
    return f"const {{ {names} }} = {_name((module.parent / match[2]).resolve())};\n"


def _name(module: Path) -> str:
    return re.sub(r"\W", "_", module.relative_to(FOLDER.resolve()).as_posix())


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\!--")


def player_style() -> str:
    """The palette's variables and the player's style sheet."""
    return css_variables() + (ASSETS / "player.css").read_text("utf-8")


@cache
def studio_script() -> str:
    """The script of all elements of the page and of the offline page: the player, the board, plots, films."""
    page = (ASSETS / "offline.html").read_text("utf-8")
    return linked(FOLDER / "studio.js", {"STYLE": player_style(), "OFFLINE_PAGE": page})
