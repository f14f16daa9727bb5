"""The player without a page: its script put together, and a scene as one HTML file that plays offline."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import cache

from fmstudio.folders import ASSETS
from fmstudio.plots.palette import css_variables
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.scene import Scene


def player_style() -> str:
    """The palette's variables and the player's style sheet."""
    return css_variables() + (ASSETS / "player.css").read_text("utf-8")


@cache
def player_script() -> str:
    """The player as one self-contained script that defines ``window.FMPlayer``.

    The chapters of ``assets/player`` in order, in one scope of their own, with the style sheet and the
    offline page as strings. Loaded twice it does nothing the second time. It holds no "</script", so it
    may stand inside a page as it is.
    """
    chapters = sorted((ASSETS / "player").glob("*.js"))
    if not chapters:
        raise FileNotFoundError(f"The player's scripts are missing from {ASSETS / 'player'}.")
    page = (ASSETS / "player" / "offline.html").read_text("utf-8")
    lines = [
        '(() => {\n"use strict";\nif (window.FMPlayer) return;',
        "const SOURCE = document.currentScript ? document.currentScript.textContent : null;",
        f"const STYLE = {_literal(player_style())};",
        f"const OFFLINE_PAGE = {_literal(page)};",
        *(chapter.read_text("utf-8") for chapter in chapters),
        "})();",
    ]
    return "\n".join(lines)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\!--")


def offline_page(scene: Scene, title: str = "Flow Matching Studio") -> str:
    """A scene as one HTML file: player, style and data inside, nothing fetched.

    Args:
        scene: what to play.
        title: the page's title, plain text.

    Returns:
        HTML of about 4/3 of the scene file's size plus 90 kB.
    """
    parts = {
        "TITLE": html.escape(title),
        "SCRIPT": player_script(),
        "SCENE": base64.b64encode(encode(scene)).decode("ascii"),
        "OPTIONS": json.dumps({"curves": True}),
    }
    page = (ASSETS / "player" / "offline.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)
