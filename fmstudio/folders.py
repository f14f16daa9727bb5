"""Where the studio's own files are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
"""Text, style, scripts and stored pictures of the page."""
MODELS = ROOT / "models"
"""Shipped weights."""
