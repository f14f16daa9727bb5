"""Map of the flow: trajectories of many images in the plane of their first two principal components."""

from __future__ import annotations

from collections.abc import Generator
from html import escape

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.image.models import repository_models
from fmstudio.image.progress import Progress
from fmstudio.image.questions.projection import FlowMap, flow_map
from fmstudio.image.settings import ImageSettings
from fmstudio.plots.scene.image import map_scene
from fmstudio.ui.player import Player, read_probe
from fmstudio.ui.report import failed, said
from fmstudio.ui.rooms.images.parts import LOADING, Values, go_and_stop, outcome
from fmstudio.ui.rooms.images.results import captioned
from fmstudio.ui.rooms.images.sampler import Sampler, beside_dropdown, side_by_side
from fmstudio.ui.rooms.images.words import map_text
from fmstudio.ui.wiring import QUIET, Updates

OPENING = ASSETS / "pictures" / "images-map.bin"
"""The scene of the default map, made by ``scripts/pictures.py``."""

SHOWN_SAMPLES = 200
SHOWN_STEPS = 24


def build(visitor: gr.State, sampler: Sampler) -> None:
    """Lay the sub-tab out."""
    default = ImageSettings()
    result = gr.State(None)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        with gr.Row(elem_classes=["fm-controls"]):
            samples = gr.Slider(
                50, 600, value=SHOWN_SAMPLES, step=50, label="images", interactive=True, min_width=140
            )
            steps = sampler.steps(4, 64, SHOWN_STEPS, 140)
            beside = beside_dropdown(sampler)
            buttons = go_and_stop("Draw the map", "map")
        status = gr.HTML(
            said("Shown: the default settings, sampled beforehand. Draw a map of your own to click on it."),
            elem_id="map-status",
        )
        player = Player(
            OPENING.read_bytes(),
            layers=("particles", "trails", "lines"),
            colour="class",
            panes=2,
            elem_id="map-player",
        )
        legend = gr.HTML(legend_html(repository_models().entry(default.model).class_names))
        looked = gr.HTML("", elem_id="map-probe")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        about = gr.Markdown(map_text(default.model))
    sampler.model.change(map_text, sampler.model, about, **QUIET)

    def draw(values: Values) -> Generator[Progress | Updates]:
        settings = sampler.read(values, steps=(int(values[steps]),))
        models = side_by_side(settings.model, values[beside])
        yield LOADING
        yield {looked: ""}
        made = yield from outcome(flow_map(settings, models, int(values[samples])))
        yield {
            status: said("Click into a pane: the image that is there."),
            player: map_scene(made),
            legend: legend_html(made.class_names),
            looked: "",
            result: made,
        }

    inputs, outputs = [samples, steps, beside], [player, legend, looked, result]
    sampler.wire(buttons, visitor, draw, inputs, status, outputs, "Stopped. The map before stays.")
    player.probe(_look, result, looked, **QUIET)


def _look(made: FlowMap | None, event: gr.EventData) -> str:
    if made is None:
        return said("This map came with the studio. Press Draw the map; then a click shows the image there.")
    try:
        probe = read_probe(event, len(made.models))
    except ValueError as error:
        return failed(error)
    frame, sample = made.nearest(probe.pane, probe.x, probe.y, probe.t)
    label = int(made.labels[sample])
    called = made.class_names[label] if label < len(made.class_names) else "no class"
    shown = (
        (made.frames[probe.pane][0, sample], "noise, t = 1"),
        (made.frames[probe.pane][frame, sample], f"x<sub>t</sub> at t = {float(made.times[frame]):.2f}"),
        (made.expected[probe.pane][frame, sample], "expected from there, x̂<sub>0</sub>"),
        (made.frames[probe.pane][-1, sample], f"its image: {escape(called)}"),
    )
    return captioned((image, "", text) for image, text in shown)


def legend_html(names: tuple[str, ...]) -> str:
    """The colours of the classes."""
    dots = "".join(
        f'<span><i style="background:var(--fm-class-{k % 10})"></i>{escape(name)}</span>'
        for k, name in enumerate(names)
    )
    return f'<div class="fm-legend">{dots}</div>'
