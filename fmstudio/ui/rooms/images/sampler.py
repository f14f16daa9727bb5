"""The card of the Images room: the model, how it is sampled, and what follows from either choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.image.models import class_names, repository_models
from fmstudio.image.settings import ALL_CLASSES, LIMITS, NO_CLASS, ImageSettings
from fmstudio.ui.element import QuietMeta
from fmstudio.ui.report import said
from fmstudio.ui.rooms.images.parts import POOLED, SHOWN_BESIDE, GoAndStop, Values, Work, long_action
from fmstudio.ui.wiring import LAST, QUIET, Updates, stoppable

SHIFT, BF16 = "time shift s", "bfloat16 where the machine has it"
"""Labels of what an adaptive solver does not ask for."""

ALL_IN_TURN, WITHOUT_CLASS = "all in turn", "no class"
"""Choices of a class that are none."""


class Sampler:
    """The card with the model and how it is sampled, laid out in the current column."""

    def __init__(self) -> None:
        default = ImageSettings()
        with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0, elem_id="images-sampler"):
            gr.Markdown("#### Model and sampler")
            self.model = gr.Dropdown(
                model_choices(), value=default.model, label="model", interactive=True, elem_id="images-model"
            )
            label = FollowingMenu(
                classes_of(default.model), value=ALL_IN_TURN, label="class", interactive=True,
                elem_id="images-class",
            )  # fmt: skip
            guidance = gr.Slider(
                *LIMITS["guidance"], value=default.guidance, step=0.1, label="guidance w", interactive=True
            )
            self.solver = gr.Dropdown(
                [(name + " (adaptive)" * tableau.adaptive, name) for name, tableau in SOLVERS.items()],
                value=default.solver, label="solver", interactive=True, elem_id="images-solver",
            )  # fmt: skip
            shift = gr.Slider(*LIMITS["shift"], value=default.shift, step=0.1, label=SHIFT, interactive=True)
            with gr.Row():
                seed = gr.Number(default.seed, label="seed", precision=0, interactive=True, min_width=80)
                another = gr.Button("Another", size="sm", min_width=60, elem_classes=["fm-low"])
            bf16 = gr.Checkbox(default.bf16, label=BF16, interactive=True)
        self.settings: dict[str, Component] = {
            "model": self.model, "label": label, "guidance": guidance, "solver": self.solver,
            "shift": shift, "seed": seed, "bf16": bf16,
        }  # fmt: skip

        def other_solver(name: str) -> Updates:
            """An adaptive one asks for neither the time shift nor the precision."""
            fixed = not SOLVERS[name].adaptive
            own_times, exact = f"time shift: {name} has its own times", f"bfloat16: {name} needs float32"
            return {
                shift: gr.update(interactive=fixed, label=SHIFT if fixed else own_times),
                bf16: gr.update(interactive=fixed, label=BF16 if fixed else exact),
            }

        def other_model(name: str, chosen: str) -> Any:
            return followed(classes_of(name), chosen, ALL_IN_TURN)

        self.solver.change(other_solver, self.solver, [shift, bf16], **QUIET)
        another.click(lambda value: int(value or 0) + 1, seed, seed, **QUIET)
        self.model.input(other_model, [self.model, label], label, **LAST)

    @property
    def inputs(self) -> set[Block]:
        """All controls."""
        return set(self.settings.values())

    def read(self, values: Values, **more: Any) -> ImageSettings:
        """Settings from what a handler is given; `more` are settings that a sub-tab has of its own.

        Raises:
            ValueError: the sentence of whatever is out of bounds.
        """
        given = {name: values[control] for name, control in self.settings.items()}
        given["label"] = label_of(given["model"], given["label"])
        given["seed"] = given["seed"] or 0
        return ImageSettings(**given | more)

    def steps(
        self,
        low: int,
        high: int,
        value: int,
        width: int,
        tolerance: float | None = None,
        step: int = 1,
        elem_id: str | None = None,
    ) -> gr.Slider:
        """A number of steps in the current row, which says that an adaptive solver does not take it.

        Args:
            low, high, value, step, elem_id: of the slider.
            width: in pixels, at least.
            tolerance: what an adaptive solver takes in their place; None where there can be none.
        """
        steps = gr.Slider(
            low, high, value=value, step=step, label="steps", interactive=True, min_width=width,
            elem_id=elem_id,
        )  # fmt: skip

        def follow(solver: str) -> Any:
            fixed = not SOLVERS[solver].adaptive
            text = "steps" if fixed else f"steps: {solver}'s own, tolerance {tolerance:g}"
            return gr.update(interactive=fixed, label=text)

        if tolerance is not None:
            self.solver.change(follow, self.solver, steps, **QUIET)
        return steps

    def wire(
        self,
        buttons: GoAndStop,
        visitor: gr.State,
        work: Work,
        inputs: Sequence[Block],
        status: Component,
        outputs: Sequence[Block],
        stopped: str,
    ) -> None:
        """Let two buttons begin and end an action that samples as this card says.

        Args:
            buttons: with the action's name.
            visitor: the visitor's state.
            work: the action; it is given the values of this card's controls too.
            inputs: its other controls.
            status: where it tells how far it is; also where another model is noted.
            outputs: what else it changes.
            stopped: the last word of one that was stopped.
        """
        handler = long_action(work, visitor, buttons.name, status, stopped)
        buttons.go.click(handler, {visitor, *inputs, *self.inputs}, [status, *outputs], **POOLED)
        stoppable(buttons.stop, visitor, status, buttons.name)
        self.remind(status, buttons.go.value)

    def remind(self, status: Component, action: str) -> None:
        """Say in a status that what is shown is not of the model that was just chosen.

        The browser does it by itself: an answer of a busy server could come after what was sampled since.
        """
        words = json.dumps(said(f"Shown: what was sampled before. Press {action} for MODEL."))
        told = f"(name) => {words}.replace('MODEL', name)"
        self.model.input(None, self.model, status, js=told, **QUIET)


class _Following:
    """A choice whose list follows another control, and may not have done so yet when a button is pressed."""

    def preprocess(self, payload: Any) -> Any:
        """The value as it came: Gradio would refuse one of the list before; its reader knows better."""
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


def chosen_class(settings: ImageSettings) -> int:
    """One class for an action that shows one image: "all in turn" means the first."""
    return 0 if settings.label == ALL_CLASSES else settings.label


def one_label(settings: ImageSettings) -> int:
    """The one label of an action that has one class."""
    label = chosen_class(settings)
    return len(class_names(settings.model)) if label == NO_CLASS else label
