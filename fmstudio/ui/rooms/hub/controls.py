"""The controls of the Hub's sub-tab: which model, and what to draw with it."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.image.hub import consent
from fmstudio.image.hub.cards import CARDS, EULER, card
from fmstudio.image.hub.rows import AUTO
from fmstudio.image.hub.steps import SOLVERS

FIRST = "Photoroom/prx-512-t2i-sft-distilled"
"""The model that is shown first: small, quick and free."""

SIDES = (256, 512, 768, 1024, 1280)


@dataclass(frozen=True)
class ModelControls:
    """The card of the model chosen, and its download."""

    model: gr.Dropdown
    revision: gr.Textbox
    detail: gr.HTML
    gate: gr.Markdown
    lean: gr.Checkbox
    fetch: gr.Button
    halt: gr.Button
    fetched: gr.HTML


@dataclass(frozen=True)
class SamplerControls:
    """What to draw, and how.

    Args:
        form: by the names that `Settings.from_form` reads; the model's are not among them.
        go, stop: buttons.
    """

    form: dict[str, Component]
    go: gr.Button
    stop: gr.Button


def solver_choices(keys: tuple[str, ...] = tuple(SOLVERS)) -> list[tuple[str, str]]:
    """Solvers by the names of the page."""
    return [(SOLVERS[key], key) for key in keys]


def build_model() -> ModelControls:
    """Lay out the model's card in the current column."""
    any_model = consent.may_name_any()
    with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
        gr.Markdown("#### Model")
        model = gr.Dropdown(
            [(known.title, known.id) for known in CARDS],
            value=FIRST,
            label="a repository (owner/name) or a folder" if any_model else "model",
            allow_custom_value=any_model,
            interactive=True,
            elem_id="hub-model",
        )
        revision = gr.Textbox(
            card(FIRST).revision, label="revision: a commit, a tag, or a branch", max_lines=1
        )
        detail = gr.HTML(elem_id="hub-detail")
        gate = gr.Markdown(elem_id="hub-gate")
        lean = gr.Checkbox(False, label="without its T5 encoder (10 GB less)", visible=False)
        with gr.Row():
            fetch = gr.Button("Fetch", elem_id="hub-fetch")
            halt = gr.Button("Stop", elem_id="hub-halt")
        fetched = gr.HTML(elem_id="hub-fetching")
    return ModelControls(model, revision, detail, gate, lean, fetch, halt, fetched)


def build_sampler() -> SamplerControls:
    """Lay out the sampler's card in the current column."""
    first = card(FIRST)
    with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0, elem_id="hub-sampler"):
        gr.Markdown("#### Sampler")
        form: dict[str, Component] = {
            "prompt": gr.Textbox("A red fox asleep in fresh snow, morning light", label="prompt", lines=2),
            "steps": gr.Textbox("1 2 4 8", label="step counts, one row each", max_lines=1),
            "guidance": gr.Number(first.guidance, label="guidance", step=0.5, interactive=True),
            "solver": gr.Dropdown(solver_choices(), value=EULER, label="solver", interactive=True),
            "shift": gr.Number(0, label="time shift s (0: the model's own)", step=0.5, interactive=True),
            "side": gr.Dropdown(list(SIDES), value=first.side, label="side in pixels", interactive=True),
            "count": gr.Slider(1, 4, value=1, step=1, label="pictures a row", interactive=True),
            "seed": gr.Number(0, label="seed", precision=0, interactive=True),
            "way": gr.Dropdown([AUTO], value=AUTO, label="way to run it", interactive=True),
        }
        with gr.Row():
            go = gr.Button("Sample", variant="primary", elem_id="hub-go")
            stop = gr.Button("Stop", elem_id="hub-stop")
    return SamplerControls(form, go, stop)
