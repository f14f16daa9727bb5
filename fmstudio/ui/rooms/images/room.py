"""Images: does it hold at scale? The model's card at the left, one sub-tab for each question at the right."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from fmstudio.image.settings import ImageSettings
from fmstudio.studio.session import Visitor
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.hub import room as hub
from fmstudio.ui.rooms.images import between, film, flow_map, grid, picture, xy
from fmstudio.ui.rooms.images.parts import warm_up
from fmstudio.ui.rooms.images.sampler import Sampler
from fmstudio.ui.rooms.images.words import model_text
from fmstudio.ui.wiring import QUIET, Updates


def both_ways(visitor: gr.State, sampler: Sampler) -> None:
    """The flow run both ways: between two noises, and from a picture to its noise and back."""
    between.build(visitor, sampler)
    picture.PictureCard(visitor, sampler)


SUB_TABS = (
    ("Step grid", grid.StepGrid),
    ("Film strip", film.build),
    ("Map of the flow", flow_map.build),
    ("Interpolate, invert, edit", both_ways),
    ("X/Y grid", xy.build),
)
"""Sub-tabs that sample the repository's models with the card's settings, each in its own file."""

OWN_TABS: tuple[tuple[str, Callable[[gr.State, gr.Tab], None]], ...] = (("Hub models", hub.build),)
"""Sub-tabs with models and settings of their own: (name, build(visitor, tab)). The card is hidden there."""

_SHOW_CARD = "() => document.body.classList.toggle('fm-own', {own})"


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    with gr.Row(elem_classes=["fm-columns", "fm-images"]):
        with gr.Column(elem_classes=["fm-aside"], elem_id="images-side"):
            sampler = Sampler()
            with gr.Column(elem_classes=["fm-card", "fm-last"], min_width=0):
                about = gr.Markdown(model_text(ImageSettings().model), elem_id="images-about")
            sampler.model.change(model_text, sampler.model, about, **QUIET)
        with gr.Column(), gr.Tabs(elem_id="images-tabs", overflow_behavior="wrap"):
            for name, build_tab in SUB_TABS:
                with gr.Tab(name, id=name) as tab:
                    build_tab(visitor, sampler)
                tab.select(None, js=_SHOW_CARD.format(own="false"))
            for name, build_own in OWN_TABS:
                with gr.Tab(name, id=name) as tab:
                    build_own(visitor, tab)
                tab.select(None, js=_SHOW_CARD.format(own="true"))
    entered = gr.HTML(visible=False)

    def enter(state: Visitor) -> Updates:
        warm_up()
        return {}

    return Room(repaint=enter, outputs=[entered])
