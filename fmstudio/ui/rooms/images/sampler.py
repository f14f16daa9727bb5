"""The card of the Images room: the model, how it is sampled, and what follows from either choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.flow.solve.solvers import ADAPTIVE
from fmstudio.image.jobs import ALL_CLASSES, IMAGE_SOLVERS, LIMITS, NO_CLASS, ImageSettings
from fmstudio.image.models import class_names, repository_models
from fmstudio.ui.element import QuietMeta
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.parts import QUIET, SHOWN_BESIDE

SHIFT, BF16 = "time shift s", "bfloat16 where the machine has it"
"""Labels of what an adaptive solver does not ask for."""

ALL_IN_TURN, WITHOUT_CLASS = "all in turn", "no class"
"""Choices of a class that are none."""


@dataclass(frozen=True)
class Sampler:
    """The card with the model and how it is sampled.

    Args:
        inputs: its controls, in the order that `read` takes their values.
        model, label, solver: some of them.
    """

    inputs: list[Component]
    model: gr.Dropdown
    label: gr.Dropdown
    solver: gr.Dropdown

    def read(self, values: Sequence[Any], **more: Any) -> ImageSettings:
        """Settings from the values of `inputs`; `more` are settings that a sub-tab has of its own.

        Raises:
            ValueError: the sentence of whatever is out of bounds.
        """
        model, label, guidance, solver, shift, seed, bf16 = values
        given: dict[str, Any] = {
            "model": model, "label": label_of(model, label), "guidance": guidance, "solver": solver,
            "shift": shift, "seed": 0 if seed is None else seed, "bf16": bf16,
        }  # fmt: skip
        return ImageSettings(**given | more)


class _Following:
    """A choice whose list follows another control, and may not have done so yet when a button is pressed.

    Gradio would refuse a value of the list before; here whoever reads it says what it means.
    """

    def preprocess(self, payload: Any) -> Any:
        """The value as it came."""
        return payload


class FollowingMenu(_Following, gr.Dropdown, metaclass=QuietMeta):
    """A menu of that kind."""

    def get_block_name(self) -> str:
        """Gradio draws this as its own menu."""
        return "dropdown"


class FollowingPills(_Following, gr.Radio, metaclass=QuietMeta):
    """Radio buttons of that kind."""

    def get_block_name(self) -> str:
        """Gradio draws this as its own radio buttons."""
        return "radio"


def followed(choices: Sequence[Any], value: Any, otherwise: Any) -> Any:
    """New choices for one that follows; its value stays where it is among them."""
    known = [choice[1] if isinstance(choice, tuple) else choice for choice in choices]
    return gr.update(choices=list(choices), value=value if value in known else otherwise)


def classes_of(model: str) -> list[str]:
    """The choices of a class: those of one image after the first, which is all of them in turn."""
    return [ALL_IN_TURN, *class_names(model), WITHOUT_CLASS]


def label_of(model: str, name: str, otherwise: int = ALL_CLASSES) -> int:
    """The label behind a choice of `classes_of`; `otherwise` for a class that only another model has."""
    names = class_names(model)
    special = {ALL_IN_TURN: ALL_CLASSES, WITHOUT_CLASS: NO_CLASS}
    return names.index(name) if name in names else special.get(name, otherwise)


def model_choices() -> list[tuple[str, str]]:
    """Every model of the repository, by its column's name and its folder."""
    entries = repository_models().entries()
    titles = {e.name: e.card.short_title for e in entries}
    return [(name if short == name else f"{short} · {name}", name) for name, short in titles.items()]


def beside_choices(model: str) -> list[tuple[str, str]]:
    """Models that can stand beside this one."""
    return [("nothing", ""), *((e.card.short_title, e.name) for e in repository_models().siblings(model))]


def side_by_side(model: str, beside: str) -> tuple[str, ...]:
    """The columns: a model, and the one chosen beside it if that can stand there."""
    siblings = {entry.name for entry in repository_models().siblings(model)}
    return (model, beside) if beside in siblings else (model,)


def beside_dropdown(sampler: Sampler) -> gr.Dropdown:
    """The choice of a model beside the sampler's; it follows that one."""
    beside = FollowingMenu(
        beside_choices(ImageSettings().model), value=SHOWN_BESIDE, label="beside it", interactive=True,
        min_width=110,
    )  # fmt: skip
    sampler.model.change(
        lambda model, value: followed(beside_choices(model), value, ""),
        [sampler.model, beside],
        beside,
        **QUIET,
    )
    return beside


def build_sampler() -> Sampler:
    """Lay the card out in the current column."""
    default = ImageSettings()
    with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0, elem_id="images-sampler"):
        gr.Markdown("#### Model and sampler")
        model = gr.Dropdown(
            model_choices(), value=default.model, label="model", interactive=True, elem_id="images-model"
        )
        label = FollowingMenu(
            classes_of(default.model), value=ALL_IN_TURN, label="class", interactive=True,
            elem_id="images-class",
        )  # fmt: skip
        guidance = gr.Slider(
            *LIMITS["guidance"], value=default.guidance, step=0.1, label="guidance w",
            interactive=True,
        )  # fmt: skip
        solver = gr.Dropdown(
            [(name if name != "dopri5" else "dopri5 (adaptive)", name) for name in IMAGE_SOLVERS],
            value=default.solver, label="solver", interactive=True, elem_id="images-solver",
        )  # fmt: skip
        shift = gr.Slider(*LIMITS["shift"], value=default.shift, step=0.1, label=SHIFT, interactive=True)
        with gr.Row():
            seed = gr.Number(default.seed, label="seed", precision=0, interactive=True, min_width=80)
            another = gr.Button("Another", size="sm", min_width=60, elem_classes=["fm-low"])
        bf16 = gr.Checkbox(default.bf16, label=BF16, interactive=True)
    solver.change(_what_dopri5_leaves, solver, [shift, bf16], **QUIET)
    another.click(lambda value: int(value or 0) + 1, seed, seed, **QUIET)
    model.input(
        lambda name, value: followed(classes_of(name), value, ALL_IN_TURN), [model, label], label,
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    return Sampler([model, label, guidance, solver, shift, seed, bf16], model, label, solver)


def _what_dopri5_leaves(solver: str) -> list[Any]:
    """The time shift and the precision, which an adaptive solver does not ask for."""
    fixed = solver not in ADAPTIVE
    return [
        gr.update(interactive=fixed, label=SHIFT if fixed else "time shift: dopri5 has its own times"),
        gr.update(interactive=fixed, label=BF16 if fixed else "bfloat16: dopri5 needs float32"),
    ]


def steps_follow(sampler: Sampler, steps: gr.Slider, tolerance: float) -> None:
    """Let a number of steps say that an adaptive solver does not take it.

    Args:
        sampler: with the solver.
        steps: labelled "steps".
        tolerance: what the solver takes in their place.
    """

    def follow(solver: str) -> Any:
        fixed = solver not in ADAPTIVE
        text = "steps" if fixed else f"steps: {solver}'s own, tolerance {tolerance:g}"
        return gr.update(interactive=fixed, label=text)

    sampler.solver.change(follow, sampler.solver, steps, **QUIET)


def chosen_class(settings: ImageSettings) -> int:
    """One class for an action that shows one image: "all in turn" means the first."""
    return 0 if settings.label == ALL_CLASSES else settings.label


def remind(sampler: Sampler, status: Component, action: str) -> None:
    """Say in a status that what is shown is not of the model that was just chosen.

    The browser does it by itself: an answer of a busy server could come after what was sampled since.
    """
    words = json.dumps(said(f"Shown: what was sampled before. Press {action} for MODEL."))
    sampler.model.input(None, sampler.model, status, js=f"(name) => {words}.replace('MODEL', name)", **QUIET)
