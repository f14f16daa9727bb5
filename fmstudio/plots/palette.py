"""One palette: a colour means the same thing in every figure, on every tab, in light and in dark.

========== ==================================================
role       stands for
========== ==================================================
data       x₀, t = 0, everything that came from the data set
noise      x₁, t = 1, everything that came from the source
exact      the oracle: u, the score, a likelihood known in closed form
learned    a trained net and the flow it drives
error      a difference that ought to be zero
original   the trajectories of Q
========== ==================================================

The browser reads the same values as CSS variables (:func:`css_variables`), so no colour is written twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """One meaning in two themes.

    Args:
        light, dark: the colour on a light and on a dark page, each "#rrggbb".

    Raises:
        ValueError: a value is not of the form "#rrggbb".
    """

    light: str
    dark: str

    def __post_init__(self) -> None:
        for value in (self.light, self.dark):
            if not re.fullmatch("#[0-9a-f]{6}", value):
                raise ValueError(f'A colour is written "#rrggbb" in lower case; got {value!r}.')


ROLES: dict[str, Colour] = {
    "data": Colour("#e07b39", "#f0955a"),
    "noise": Colour("#3f7fbf", "#6aa5e0"),
    "exact": Colour("#14785a", "#3fb28a"),
    "learned": Colour("#7a5ac8", "#a48bf0"),
    "error": Colour("#c8323c", "#f06a72"),
    "original": Colour("#9aa0ab", "#7a808c"),
}
"""Every role by its name, as scenes and JSON write it."""

SURFACES: dict[str, Colour] = {
    "page": Colour("#fbfaf8", "#14161a"),
    "card": Colour("#ffffff", "#1c1f25"),
    "sunk": Colour("#ffffff", "#111317"),
    "border": Colour("#e7e4de", "#2b2f37"),
    "chip": Colour("#f3f1ec", "#252932"),
    "ink": Colour("#22252b", "#e9eaee"),
    "ink-soft": Colour("#6b7280", "#9aa1ad"),
    "ink-faint": Colour("#a3a7b0", "#666c78"),
}
"""Backgrounds, lines and text, from the page inwards."""

CLASSES: tuple[Colour, ...] = (
    Colour("#2f6db3", "#6fa8e8"),
    Colour("#d9822b", "#f2a65a"),
    Colour("#2f8f57", "#5fc48c"),
    Colour("#b8467f", "#e585b5"),
    Colour("#8a6d1f", "#d3b65a"),
    Colour("#1f9bab", "#58cad8"),
    Colour("#7b5fc4", "#ab94f2"),
    Colour("#c2453d", "#f08078"),
    Colour("#6f8a1e", "#aecb5a"),
    Colour("#6b7280", "#a9b0bc"),
)
"""Colours of class labels; label k takes number k modulo the length."""


def css_variables() -> str:
    """The palette as CSS: ``--fm-<name>`` on :root for light, and on ``.dark`` for dark.

    Returns:
        CSS rules. Names are those of :data:`ROLES` and :data:`SURFACES`, and class-0, class-1, … What the
        browser draws itself (scroll bars, the arrows of a number, the list of a choice) goes dark too.
    """
    named = {**ROLES, **SURFACES, **{f"class-{k}": colour for k, colour in enumerate(CLASSES)}}
    light = "".join(f"--fm-{name}:{colour.light};" for name, colour in named.items())
    dark = "".join(f"--fm-{name}:{colour.dark};" for name, colour in named.items())
    return f":root{{{light}}}\n.dark{{{dark}}}\n:root:has(.dark){{color-scheme:dark}}\n"
