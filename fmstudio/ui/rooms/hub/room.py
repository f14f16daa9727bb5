"""Hub models: large flow-matching models, whether this machine can run them, and their steps one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.image.hub import consent
from fmstudio.image.hub.cards import EULER, known_card
from fmstudio.image.hub.fetch import DownloadError
from fmstudio.image.hub.find import Outlook, catalogue, outlook, this_machine
from fmstudio.image.hub.rows import AUTO, OutOfRoomError, Settings
from fmstudio.studio.line import HUB
from fmstudio.ui import words
from fmstudio.ui.report import failed
from fmstudio.ui.rooms.hub import html as pieces
from fmstudio.ui.rooms.hub.actions import fetching, sampling
from fmstudio.ui.rooms.hub.controls import (
    ModelControls,
    SamplerControls,
    build_model,
    build_sampler,
    solver_choices,
)
from fmstudio.ui.rooms.images.parts import Values, long_action
from fmstudio.ui.wiring import LAST, QUIET, Updates, pooled, sent, stoppable

_log = logging.getLogger(__name__)

SAMPLING, FETCHING = "hub", "fetch"
"""What the two Stop buttons call what they end."""

_PICK = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-model]');
  if (row) trigger('input', {model: row.dataset.model});
});
"""

_SCRUB = """
element.addEventListener('input', (event) => {
  const row = event.target.closest('.hub-row');
  if (!row || event.target.type !== 'range') return;
  const frame = row.querySelectorAll('.hub-strip figure')[event.target.value - 1];
  const [x, data] = row.querySelectorAll('.hub-look img'), [from, to] = frame.querySelectorAll('img');
  x.src = from.src; x.alt = from.alt; data.src = to.src;
  row.querySelector('.hub-look output').textContent = frame.dataset.t;
  frame.scrollIntoView({block: 'nearest', inline: 'nearest'});
});
"""


@dataclass(frozen=True)
class Figures:
    """What is shown at the left.

    Args:
        machine, models, again: this computer, the models on it, and the button that looks again.
        shown: by the names of `actions.Shown`: the status, the live look, the rows, the schedule.
    """

    machine: gr.HTML
    models: Any  # of gr.HTML, with the event that its script triggers
    again: gr.Button
    shown: dict[str, Component]


def build(visitor: gr.State, tab: gr.Tab) -> None:
    """Lay the sub-tab out in the current tab; the machine is looked at whenever the tab is opened.

    Args:
        visitor: the visitor's state; of this sub-tab only whether it was asked to stop is kept there.
        tab: the current one.
    """
    with gr.Row(elem_classes=["fm-columns", "fm-hub"]):
        with gr.Column():
            figures = _figures()
        with gr.Column(elem_classes=["fm-aside"]):
            model, sampler = build_model(), build_sampler()
    look = Look(figures, model, sampler.form["way"])
    for asked in (tab.select, figures.again.click, model.revision.submit):
        look.after(asked, **LAST)
    _wire_choice(look, sampler.form)
    _wire_fetching(visitor, look)
    _wire_sampling(visitor, figures, model, sampler)


def _figures() -> Figures:
    with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
        gr.Markdown("#### Models for this machine")
        machine = gr.HTML('<p class="fm-note">Looking at this machine…</p>', elem_id="hub-machine")
        models = gr.HTML(js_on_load=_PICK, elem_id="hub-models", padding=False)
        again = gr.Button("Look again", size="sm", elem_id="hub-again")
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown("#### One prompt, several step counts")
        nothing = "Nothing sampled yet. Choose a model that is ready, and say what to draw."
        shown: dict[str, Component] = {
            "status": gr.HTML(f'<p class="fm-note">{nothing}</p>', elem_id="hub-status"),
            "live": gr.HTML(elem_id="hub-live"),
            "grid": gr.HTML(elem_id="hub-grid", js_on_load=_SCRUB),
            "curve": gr.HTML(elem_id="hub-schedule"),
        }
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown(words.text("images-hub"))
    return Figures(machine, models, again, shown)


@dataclass(frozen=True)
class Look:
    """The list, the card and what goes with it, as they are now."""

    figures: Figures
    model: ModelControls
    way: Component

    def after(self, event: Callable[..., Any], **how: Any) -> None:
        """Look again after an event of the page."""
        figures, model = self.figures, self.model
        changed = [figures.machine, figures.models, model.detail, model.gate, model.lean, model.fetch]
        event(self.now, [model.model, model.revision], [*changed, self.way], **how)

    def now(self, chosen: str, revision: str) -> Updates:
        """What changes on the page."""
        here = this_machine()
        seen, html = _details(chosen, revision)
        absent = seen if seen and not seen.found else None
        card = absent.card if absent else None
        return {
            self.figures.machine: f'<p class="fm-note">{here.describe()}</p>',
            self.figures.models: pieces.models_html(catalogue(here), chosen),
            self.model.detail: html,
            self.model.gate: consent.how_to_pass_the_gate(card) if card else "",
            self.model.lean: gr.update(visible=bool(card and card.optional), value=False),
            self.model.fetch: gr.update(interactive=bool(absent and not consent.may_fetch(absent.name))),
            self.way: gr.update(choices=ways_of(seen), value=AUTO),
        }


def _wire_choice(look: Look, form: dict[str, Component]) -> None:
    model = look.model

    def choose(chosen: str) -> Updates:
        """Another model: its revision and what its authors recommend."""
        known = known_card(chosen)
        if known is None:
            solvers = gr.update(choices=solver_choices(), value=EULER)
            return {model.revision: "main", form["solver"]: solvers}
        return {
            model.revision: known.revision,
            form["guidance"]: known.guidance,
            form["side"]: known.side,
            form["solver"]: gr.update(choices=solver_choices(known.solvers), value=EULER),
        }

    recommended = [model.revision, form["guidance"], form["side"], form["solver"]]
    pressed = look.figures.models.input(picked, None, model.model, trigger_mode="multiple", **QUIET)
    for chosen in (pressed, model.model.input(lambda: None, None, None, **LAST)):
        look.after(chosen.then(choose, model.model, recommended, **LAST).then, **LAST)


def _wire_fetching(visitor: gr.State, look: Look) -> None:
    model = look.model

    def fetch(values: Values) -> Generator[Updates]:
        for html in fetching(values[model.model].strip(), values[model.revision], values[model.lean]):
            yield {model.fetched: html}

    def failing(error: Exception, values: Values) -> Updates:
        if isinstance(error, DownloadError | ValueError):
            return {model.fetched: failed(error)}
        return {model.fetched: failed(RuntimeError(consent.explain(error, values[model.model])))}

    stopped = "Stopped. What came is kept; Fetch goes on from there."
    handler = long_action(
        fetch, visitor, FETCHING, model.fetched, stopped, line=None, expected=(Exception,), failing=failing
    )
    fetched = model.fetch.click(
        handler,
        {visitor, model.model, model.revision, model.lean},
        model.fetched,
        concurrency_id="hub-fetch",
        concurrency_limit=2,
        trigger_mode="once",
        **QUIET,
    )
    look.after(fetched.then, **QUIET)
    stoppable(model.halt, visitor, model.fetched, FETCHING)


def _wire_sampling(
    visitor: gr.State, figures: Figures, model: ModelControls, sampler: SamplerControls
) -> None:
    status, way = figures.shown["status"], sampler.form["way"]
    form = {"model": model.model, "revision": model.revision, **sampler.form}

    def draw(values: Values) -> Generator[Updates]:
        settings = Settings.from_form({name: values[control] for name, control in form.items()})
        return ({figures.shown[name]: html for name, html in shown.items()} for shown in sampling(settings))

    def failing(error: Exception, values: Values) -> Updates:
        told: Updates = {status: failed(error), figures.shown["live"]: ""}
        if isinstance(error, OutOfRoomError):
            smaller = error.smaller.title if error.smaller else AUTO
            known = ways_of(_details(values[model.model], values[model.revision])[0])
            return told | {way: gr.update(choices=[*dict.fromkeys([AUTO, smaller, *known])], value=smaller)}
        if not isinstance(error, ValueError):
            # A pipeline of somebody else's: the page says it, the log has the rest.
            _log.error("Sampling %s failed", values[model.model], exc_info=error)
            told[status] = failed(RuntimeError(f"The pipeline failed: {error}"))
        return told

    stopped = "Stopped after the step in progress. The finished rows stay."
    handler = long_action(
        draw, visitor, SAMPLING, status, stopped, line=HUB, expected=(Exception,), failing=failing
    )
    sampler.go.click(
        handler,
        {visitor, *form.values()},
        [*figures.shown.values(), way],
        trigger_mode="once",
        **pooled("hub"),
    )
    stoppable(sampler.stop, visitor, status, SAMPLING)


def picked(event: gr.EventData) -> Any:
    """The model that was pressed, if there is one of that name."""
    name = sent(event).get("model")
    return name if isinstance(name, str) and known_card(name) else gr.skip()


def ways_of(seen: Outlook | None) -> list[str]:
    """The ways to run a model that fit, after the choice that is left to the plan."""
    return [AUTO, *(way.title for way in seen.choice.ways if way.fits)] if seen and seen.choice else [AUTO]


def _details(model: str | None, revision: str) -> tuple[Outlook | None, str]:
    """The model with its card in HTML, or None and why there is none."""
    try:
        seen = outlook(model or "", this_machine(), revision)
        return seen, pieces.card_html(seen)
    except ValueError as error:
        return None, failed(error)
