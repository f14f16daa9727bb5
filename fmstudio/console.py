"""What is printed reaches every console: a letter that its code page lacks is written as its number."""

from __future__ import annotations

import sys


def print_anything() -> None:
    """From now on no print fails for a letter: a Windows console in cp1252 shows Cyrillic as ``\\u0434``."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # Not every stand-in has it.
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
