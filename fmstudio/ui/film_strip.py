"""The film strip: two rows of frames, two large pictures, a scrubber and the figures of each step."""

from __future__ import annotations

import json
from typing import Any

from fmstudio.image.questions.film import Film
from fmstudio.image.questions.gallery import data_uri, strip_of
from fmstudio.ui.element import Element


class FilmStrip(Element):
    """Shows a film that may still be growing; the browser scrubs without asking the server.

    Args:
        value: what `film_json` made, or None.
        elem_id: for tests.
    """

    module = "film"

    def __init__(self, value: str | None = None, *, elem_id: str | None = None, **_: Any):
        super().__init__(value=value, html='<div class="fm-film"></div>', elem_id=elem_id)


def film_json(film: Film, frame: int | None = None) -> str:
    """The film as the browser takes it: two pictures of all frames side by side, and the figures.

    Args:
        film: finished or still growing.
        frame: the one to show first; None follows the film to its end.
    """
    return json.dumps(
        ({} if frame is None else {"frame": frame})
        | {
            "size": list(film.x[0].shape[-2:]),
            "x": data_uri(strip_of(film.frames(film.x), gap=0)),
            "x0": data_uri(strip_of(film.frames(film.x0_hat), gap=0)),
            "t": [round(t, 4) for t in film.t],
            "speed": [round(value, 4) for value in film.speed],
            "turn": [round(value, 2) for value in film.turn],
            "bend": [round(value, 4) for value in film.bend],
        }
    )
