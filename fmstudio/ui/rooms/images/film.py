"""Film strip: x_t and the expected image at every step, and why 16 steps of 32 are not 16 of 16."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.image.progress import Progress
from fmstudio.image.questions.film import Film, film
from fmstudio.image.training.data import to_bytes
from fmstudio.studio.running import Pulse
from fmstudio.ui import words
from fmstudio.ui.film_strip import FilmStrip, film_json
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.parts import LOADING, YIELD_EVERY, Values, go_and_stop
from fmstudio.ui.rooms.images.results import captioned
from fmstudio.ui.rooms.images.sampler import Sampler, chosen_class
from fmstudio.ui.wiring import Updates

OPENING = ASSETS / "pictures" / "images-film.json"
"""A film of the default settings, made by ``scripts/pictures.py``."""

SHOWN_STEPS = 32
FILM_TOLERANCE = 0.03


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the sub-tab out."""
    opening = json.loads(OPENING.read_text("utf-8"))
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        with gr.Row(elem_classes=["fm-controls"]):
            steps = sampler.steps(2, 64, SHOWN_STEPS, 160, FILM_TOLERANCE, step=2, elem_id="film-steps")
            buttons = go_and_stop("Sample", "film")
        status = gr.HTML(said("Shown: the default settings, sampled beforehand. Drag the scrubber."))
        strip = FilmStrip(opening["film"], elem_id="film-strip")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### Half of the steps is not half as many steps")
        halves = gr.HTML(opening["halves"], elem_id="film-halves")
        gr.Markdown(words.text("images-film"))

    def draw(values: Values) -> Generator[Progress | Updates]:
        settings = sampler.read(values, steps=(int(values[steps]),), tolerances=(FILM_TOLERANCE,))
        settings = replace(settings, label=chosen_class(settings), count=1)
        yield LOADING
        yield {halves: ""}
        pulse, made = Pulse(YIELD_EVERY), None
        for event in film(settings):
            if isinstance(event, Progress):
                yield event
                continue
            made = event
            if pulse.due():
                yield {strip: film_json(made)}
        if made is not None:
            yield {status: said(summary(made)), strip: film_json(made), halves: halves_html(made)}

    stopped = "Stopped. The frames so far stay."
    sampler.wire(buttons, visitor, draw, [steps], status, [strip, halves], stopped)


def summary(made: Film) -> str:
    """What the whole film comes to."""
    return (
        f"{len(made.v)} steps. Straightness of this trajectory: {made.straightness():.4f} of its squared "
        "length (0: a straight line at constant speed)."
    )


def halves_html(made: Film) -> str:
    """Four pictures: x_t and x̂₀ in the middle of n steps, the end of n/2 steps, the end of n steps."""
    if made.halved is None:
        return said("An adaptive solver chooses its own steps; choose another one to see this comparison.")
    n = made.settings.steps[0]
    half = n // 2
    end = made.x[-1]
    shown = [
        (made.x[half], f"{half} of {n} steps", f"x<sub>t</sub> at t = {made.t[half]:.2f}"),
        (made.x0_hat[half], f"{half} of {n} steps", "its expected end x̂<sub>0</sub>"),
        (made.halved, f"{half} of {half} steps", "the end"),
        (end, f"{n} of {n} steps", "the end"),
    ]
    return captioned(
        (
            to_bytes(x),
            f"{first}, {second.split('<')[0]}",
            f"<b>{first}</b><br>{second}<br>off by {float((x - end).square().mean().sqrt()):.3f}",
        )
        for x, first, second in shown
    )
