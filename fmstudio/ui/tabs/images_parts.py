"""What the sub-tabs of the Images room share: the model and sampler card, progress, stopping."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.flow.solvers import ADAPTIVE
from fmstudio.image.backbones import backbone_names, class_names, repository_models
from fmstudio.image.compare import compare
from fmstudio.image.jobs import ALL_CLASSES, IMAGE_SOLVERS, LIMITS, NO_CLASS, ImageSettings
from fmstudio.image.progress import Progress
from fmstudio.ui.line import IMAGES, MOST_WAITING, waiting_words
from fmstudio.ui.player import QuietMeta
from fmstudio.ui.tabs.report import failed
from fmstudio.ui.visitor import Visitor

YIELD_EVERY = 0.15
"""Seconds between two updates of a running action."""

SHOWN_COUNT = 8
"""Images a row of the step grid that is shown first."""

SHOWN_BESIDE = "fashion-rf2"
"""The model beside the default one in what is shown first."""

SHIFT, BF16 = "time shift s (1: none)", "bfloat16 where the machine has it"
"""Labels of what an adaptive solver does not ask for."""

ALL_IN_TURN, WITHOUT_CLASS = "all in turn", "no class"
"""Choices of a class that are none."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
POOLED: dict[str, Any] = QUIET | {
    "concurrency_id": "images",
    "concurrency_limit": MOST_WAITING,
    "trigger_mode": "once",
}
"""Sampling handlers stand in the line `IMAGES`."""


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
    return [(e.name if e.short_title == e.name else f"{e.short_title} · {e.name}", e.name) for e in entries]


def beside_choices(model: str) -> list[tuple[str, str]]:
    """Models that can stand beside this one."""
    return [("nothing", ""), *((e.short_title, e.name) for e in repository_models().siblings(model))]


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


def go_and_stop(action: str, name: str) -> tuple[gr.Button, gr.Button]:
    """The two buttons of a long action, with the ids NAME-go and NAME-stop."""
    go = gr.Button(action, variant="primary", elem_id=f"{name}-go", min_width=110 if " " in action else 90)
    return go, gr.Button("Stop", elem_id=f"{name}-stop", min_width=70)


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
            *LIMITS["guidance"], value=default.guidance, step=0.1, label="guidance w (1: none)",
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


def said(text: str) -> str:
    """A quiet sentence in the place of progress."""
    return f'<p class="fm-note">{escape(text)}</p>'


def progress_html(progress: Progress) -> str:
    """What is being done, how far it is and what the measured steps say is left."""
    left = f" · about {_duration(progress.left)} left" if progress.left is not None else ""
    return (
        f'<p class="fm-note">{escape(progress.what)}{left}</p>'
        f'<progress max="1" value="{progress.share:.3f}"></progress>'
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class Pulse:
    """Whether it is time to show something again: at most every `YIELD_EVERY` seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def due(self) -> bool:
        """True now and then."""
        now = time.monotonic()
        if now - self._last < YIELD_EVERY:
            return False
        self._last = now
        return True


def guarded(work: Callable[..., Iterator[Any]], outputs: int, name: str) -> Callable[..., Iterator[Any]]:
    """A handler whose errors become a sentence in its first output; the others stay as they are.

    It takes the visitor before the other inputs. Once the visitor has pressed Stop nothing more comes from
    it, so that Stop has the last word. Before its turn in the line `IMAGES` has come it tells its place.

    Args:
        work: a generator of the other inputs; its first output is the status.
        outputs: how many outputs it fills.
        name: of the action, as its Stop button calls it (see `stoppable`).
    """

    def run(state: Visitor, *values: Any) -> Iterator[Any]:
        alone = outputs == 1
        others = [gr.skip()] * (outputs - 1)

        def waiting(ahead: int) -> Any:
            text = said(waiting_words(ahead))
            return text if alone else [text, *others]

        try:
            yield from until_stopped(state, name, IMAGES.serve(lambda: work(*values), waiting))
        except (ValueError, KeyError, RuntimeError, OSError) as error:
            yield failed(error) if alone else [failed(error), *others]

    return run


def until_stopped(state: Visitor, name: str, work: Iterator[Any]) -> Iterator[Any]:
    """What an action shows, until its Stop button is pressed (see `stoppable`)."""
    state.images_halted.discard(name)
    for shown in work:
        if name in state.images_halted:
            return
        yield shown


def stoppable(
    button: gr.Button, running: Any, visitor: gr.State, status: Component, words: str, name: str
) -> None:
    """Let a button end a running action and say so in its status, after whatever is still under way."""

    def halt(state: Visitor) -> str:
        state.images_halted.add(name)
        return said("Stopping…")

    button.click(halt, visitor, status, cancels=running, **QUIET).then(
        lambda: said(words), None, status, **QUIET
    )


def remind(sampler: Sampler, status: Component, action: str) -> None:
    """Say in a status that what is shown is not of the model that was just chosen.

    The browser does it by itself: an answer of a busy server could come after what was sampled since.
    """
    words = json.dumps(said(f"Shown: what was sampled before. Press {action} for MODEL."))
    sampler.model.input(None, sampler.model, status, js=f"(name) => {words}.replace('MODEL', name)", **QUIET)


def warm_up() -> None:
    """Let `warm_models` run in the background, so that the first click need not wait for it."""
    threading.Thread(target=warm_models, name="load image models", daemon=True).start()


@cache
def warm_models() -> None:
    """Load the two models that are shown first and let each take a step: imports and kernels stay."""
    names = backbone_names()
    first = [name for name in (ImageSettings().model, SHOWN_BESIDE) if name in names]
    if first:
        settings = ImageSettings(model=first[0], steps=(1,), count=SHOWN_COUNT)
        for _ in compare(settings, first, distances=False):
            pass
