"""A scene as one HTML file that plays without a network."""

from __future__ import annotations

import base64
import html
import json
import re

from fmstudio.folders import ASSETS
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.scene import Scene
from fmstudio.plots.script import studio_script


def offline_page(scene: Scene, title: str = "Flow Matching Studio") -> str:
    """A scene as one HTML file: player, style and data inside, nothing fetched.

    Args:
        scene: what to play.
        title: the page's title, plain text.

    Returns:
        HTML of about 4/3 of the scene file's size plus 130 kB.
    """
    parts = {
        "TITLE": html.escape(title),
        "SCRIPT": studio_script(),
        "SCENE": base64.b64encode(encode(scene)).decode("ascii"),
        "OPTIONS": json.dumps({"curves": scene.curves is not None}),
    }
    page = (ASSETS / "offline.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)
