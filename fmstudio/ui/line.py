"""The lines of :mod:`fmstudio.studio.line`."""

from fmstudio.studio.line import HUB, IMAGES, MOST_WAITING, TRAININGS, Line, Place

__all__ = ["HUB", "IMAGES", "MOST_WAITING", "TRAININGS", "Line", "Place"]
