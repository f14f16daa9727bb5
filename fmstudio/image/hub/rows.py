"""One prompt, several step counts: the same noise sampled in rows, on whatever model is asked for.

The door of this folder: settings in; the loading, every step with a look at it, and the pictures out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from fmstudio.image.finite import NotFiniteError
from fmstudio.image.hub.cards import EULER
from fmstudio.image.hub.find import Outlook, find_tiny_decoder, outlook, this_machine
from fmstudio.image.hub.load import Shelf, load_model
from fmstudio.image.hub.machine import forget_frames, is_out_of_memory, release_memory
from fmstudio.image.hub.plan import Plan, next_smaller, wider
from fmstudio.image.hub.sample import Finished, HubModel, Request
from fmstudio.image.hub.steps import StepRecord
from fmstudio.image.settings import parse_steps, whole

AUTO = "the fastest that fits"
"""The way to run a model that the plan chooses, as a form calls it."""

SHELF = Shelf()
"""The models that this process has loaded."""


class OutOfRoomError(RuntimeError):
    """Memory ran out; the model was let go.

    Attributes:
        smaller: the next smaller way to run it, or None.
    """

    def __init__(self, message: str, smaller: Plan | None):
        super().__init__(message)
        self.smaller = smaller


@dataclass(frozen=True)
class Settings:
    """What to sample.

    Args:
        model: a card's id, or, if the owner allows any, a repository or a folder.
        revision: branch, tag or commit; "" for its card's.
        prompt: in words.
        steps: step counts, one row each.
        guidance, solver, shift, seed, side, count: as in `Request`.
        way: title of the plan to run it by, or "" for the fastest that fits.
    """

    model: str
    revision: str = ""
    prompt: str = ""
    steps: tuple[int, ...] = (4,)
    guidance: float = 1.0
    solver: str = EULER
    shift: float | None = None
    seed: int = 0
    side: int = 512
    count: int = 1
    way: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, Any]) -> Settings:
        """Settings from a form's values as they were typed; numbers may be missing.

        Args:
            form: by the names of the settings; ``steps`` is text, ``way`` may be `AUTO`.

        Raises:
            ValueError: step counts that are none.
        """
        return cls(
            model=(form["model"] or "").strip(),
            revision=form["revision"].strip(),
            prompt=form["prompt"],
            steps=parse_steps(form["steps"]),
            guidance=float(form["guidance"] or 0.0),
            solver=form["solver"],
            shift=form["shift"] or None,
            seed=int(form["seed"] or 0),
            side=int(form["side"]),
            count=int(form["count"]),
            way="" if form["way"] == AUTO else form["way"],
        )

    def requests(self) -> list[Request]:
        """What each row asks of the model.

        Raises:
            ValueError: the settings make no sense.
        """
        common = {
            name: getattr(self, name) for name in ("guidance", "solver", "shift", "seed", "side", "count")
        }
        asked = [Request(self.prompt, step_count, **common) for step_count in self.steps]
        if not asked:
            raise ValueError("Give at least one step count.")
        whole("seed", self.seed)
        whole("seed", self.seed + self.count - 1)
        return asked

    def check_against(self, seen: Outlook) -> None:
        """Refuse what a model's card says its pipeline does not take.

        Raises:
            ValueError: with what it does take.
        """
        card = seen.card
        if card is None:
            return
        if self.solver not in card.solvers:
            raise ValueError(f"{card.title} runs with {', '.join(card.solvers)}; got {self.solver!r}.")
        if self.guidance < card.least_guidance:
            least = f"{card.least_guidance:g} (none)"
            raise ValueError(f"{card.title} takes guidance from {least} up; got {self.guidance:g}.")

    def each_alone(self, request: Request, commit: str) -> list[dict[str, Any]]:
        """How each picture of a row is made again alone: the settings, with its own seed."""
        common = asdict(self) | {"revision": commit or self.revision, "count": 1}
        return [common | {"steps": [request.step_count], "seed": seed} for seed in request.seeds]


@dataclass(frozen=True)
class Loaded:
    """A model is ready.

    Args:
        plan: how it was loaded.
        preview: how looks at it are made, in words.
        commit: what version it is, or "" for a folder.
    """

    plan: Plan
    preview: str
    commit: str = ""


@dataclass(frozen=True)
class StepShown:
    """A step with a look at it.

    Args:
        record: the step.
        x_look, x0_look: uint8, (count, 3, height, width), of x and x̂₀ before the step.
    """

    record: StepRecord
    x_look: Tensor
    x0_look: Tensor


def sample_rows(settings: Settings, shelf: Shelf = SHELF) -> Iterator[Loaded | StepShown | Finished]:
    """The same noise with several step counts: the loading, every step, then the row's pictures.

    Closing the iterator stops the run; the model stays loaded.

    Args:
        settings: what to sample.
        shelf: where the model is loaded.

    Raises:
        NotFiniteError: at the first step whose latents are not finite, with the way to take instead.
        OutOfRoomError: memory ran out; the model was let go.
        ValueError: the settings make no sense, or the model cannot be run here.
    """
    requests = settings.requests()
    seen = outlook(settings.model, this_machine(), settings.revision, settings.side, settings.count)
    found, choice = seen.found, seen.choice
    if found is None or choice is None:
        raise ValueError(f"{seen.title} is not on this machine yet. Fetch it first.")
    settings.check_against(seen)
    plan = seen.way(settings.way)

    def load() -> HubModel:
        return load_model(found, plan, find_tiny_decoder(seen.card))

    try:
        with shelf.borrow((found.folder, plan.title), found.file_bytes, load) as model:
            yield Loaded(plan, model.preview_kind, found.commit)
            for request in requests:
                yield from _row(model, request)
    except NotFiniteError as error:
        better = wider(plan, choice)
        raise NotFiniteError(f"{error} Here: {better.title}." if better else str(error)) from error
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget_frames(error)
        release_memory()
        smaller = next_smaller(plan, choice)
        offer = f"The next smaller way is {smaller.title}." if smaller else "There is no smaller way here."
        raise OutOfRoomError(f"{plan.title} ran out of memory and was let go. {offer}", smaller) from error


def _row(model: HubModel, request: Request) -> Iterator[StepShown | Finished]:
    with closing(model.sample(request)) as steps:
        for event in steps:
            if isinstance(event, StepRecord):
                looks = (model.look(latents, request.side) for latents in (event.x, event.x0_hat))
                yield StepShown(event, *looks)
            else:
                yield event
