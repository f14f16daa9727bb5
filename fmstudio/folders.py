"""Where the studio's own files are, and the prose among them."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
"""Text, style, scripts and stored pictures of the page."""
MODELS = ROOT / "models"
"""Shipped weights."""


def text(name: str) -> str:
    """The prose of a room, ``assets/text/NAME.md``."""
    return (ASSETS / "text" / f"{name}.md").read_text("utf-8")


@cache
def sections(name: str) -> dict[str, str]:
    """The parts of ``assets/text/NAME.md`` by their second-level headings."""
    parts = re.split(r"^## (.+)\n", text(name), flags=re.MULTILINE)
    return {heading: body.strip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)}
