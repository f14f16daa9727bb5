"""The visitor, as the images' rooms import it."""

from fmstudio.studio.session import Visitor

__all__ = ["Visitor"]
