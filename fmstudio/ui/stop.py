"""The Stop button of the images' rooms."""

from fmstudio.ui.wiring import stoppable

__all__ = ["stoppable"]
