"""Hub models: large flow-matching models, whether this machine can run them, and their steps one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.image.hub import consent
from fmstudio.image.hub.cards import CARDS, EULER, card, usual_revision
from fmstudio.image.hub.download import DownloadError
from fmstudio.image.hub.jobs import (
    Outlook,
    OutOfRoomError,
    catalogue,
    outlook,
    this_machine,
)
from fmstudio.image.hub.schedule import SOLVERS
from fmstudio.ui import words
from fmstudio.ui.element import QuietMeta
from fmstudio.ui.events import sent
from fmstudio.ui.halting import until_halted
from fmstudio.ui.line import MOST_WAITING
from fmstudio.ui.report import failed, said
from fmstudio.ui.rooms.hub import html as pieces
from fmstudio.ui.rooms.hub.actions import AUTO, drawing, fetching, settings_of
from fmstudio.ui.stop import stoppable
from fmstudio.ui.visitor import Visitor

_log = logging.getLogger(__name__)

FIRST = "Photoroom/prx-512-t2i-sft-distilled"
"""The model that is shown first: small, quick and free."""

SAMPLING, FETCHING = "hub", "fetch"
"""What the two Stop buttons call what they end."""

SIDES = (256, 512, 768, 1024, 1280)
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_LOOKING = '<p class="fm-note">Looking at this machine…</p>'
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


class ModelList(gr.HTML, metaclass=QuietMeta):
    """The models in lines; pressing one raises ``input`` with ``{"model": id}``."""

    if TYPE_CHECKING:
        input: Callable[..., Any]

    def __init__(self, value: Any = None, **_: Any):
        super().__init__(value=value, js_on_load=_PICK, elem_id="hub-models", padding=False)

    def get_block_name(self) -> str:
        """Gradio draws this as its own HTML component."""
        return "html"


def build(visitor: gr.State, tab: gr.Tab) -> None:
    """Lay the sub-tab out in the current tab; the machine is looked at whenever the tab is opened.

    Args:
        visitor: the visitor's state; of this sub-tab only whether it was asked to stop is kept there.
        tab: the current one.
    """
    any_model = _any_allowed()
    first = card(FIRST)
    with gr.Row(elem_classes=["fm-columns", "fm-hub"]):
        with gr.Column():
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                gr.Markdown("#### Models for this machine")
                machine = gr.HTML(_LOOKING, elem_id="hub-machine")
                models = ModelList()
                again = gr.Button("Look again", size="sm", elem_id="hub-again")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown("#### One prompt, several step counts")
                status = gr.HTML(
                    '<p class="fm-note">Nothing sampled yet. Choose a model that is ready, and say what to '
                    "draw.</p>",
                    elem_id="hub-status",
                )
                live = gr.HTML(elem_id="hub-live")
                grid = gr.HTML(elem_id="hub-grid", js_on_load=_SCRUB)
                curve = gr.HTML(elem_id="hub-schedule")
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(words.text("images_hub"))
        with gr.Column(elem_classes=["fm-aside"]):
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
                    first.revision, label="revision: a commit, a tag, or a branch", max_lines=1
                )
                detail = gr.HTML(elem_id="hub-detail")
                gate = gr.Markdown(elem_id="hub-gate")
                lean = gr.Checkbox(False, label="without its T5 encoder (10 GB less)", visible=False)
                with gr.Row():
                    fetch = gr.Button("Fetch", elem_id="hub-fetch")
                    halt = gr.Button("Stop", elem_id="hub-halt")
                fetched = gr.HTML(elem_id="hub-fetching")
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0, elem_id="hub-sampler"):
                gr.Markdown("#### Sampler")
                prompt = gr.Textbox("A red fox asleep in fresh snow, morning light", label="prompt", lines=2)
                steps = gr.Textbox("1 2 4 8", label="step counts, one row each", max_lines=1)
                guidance = gr.Number(first.guidance, label="guidance", step=0.5, interactive=True)
                solver = gr.Dropdown(
                    [(name, key) for key, name in SOLVERS.items()],
                    value=EULER,
                    label="solver",
                    interactive=True,
                )
                shift = gr.Number(0, label="time shift s (0: the model's own)", step=0.5, interactive=True)
                side = gr.Dropdown(list(SIDES), value=first.side, label="side in pixels", interactive=True)
                count = gr.Slider(1, 4, value=1, step=1, label="pictures a row", interactive=True)
                seed = gr.Number(0, label="seed", precision=0, interactive=True)
                way = gr.Dropdown([AUTO], value=AUTO, label="way to run it", interactive=True)
                with gr.Row():
                    go = gr.Button("Sample", variant="primary", elem_id="hub-go")
                    stop = gr.Button("Stop", elem_id="hub-stop")

    def look(model_: str, revision_: str) -> list[Any]:
        """The list, the card and what goes with it, as they are now."""
        here = this_machine()
        html, seen, gate_text, ways = _details(model_, revision_)
        optional = bool(seen and seen.card and seen.card.optional and not seen.found)
        return [
            _machine_line(),
            pieces.models_html(catalogue(here), model_),
            html,
            gate_text,
            gr.update(visible=optional, value=False),
            gr.update(interactive=bool(seen and not seen.found and not consent.may_fetch(seen.name))),
            gr.update(choices=ways, value=AUTO),
        ]

    def choose(model_: str) -> list[Any]:
        """Another model: its revision and what its authors recommend."""
        known = next((one for one in CARDS if one.id == model_), None)
        if known is None:
            return [
                usual_revision(model_),
                gr.skip(),
                gr.skip(),
                gr.update(choices=_solvers(tuple(SOLVERS)), value=EULER),
            ]
        chosen = gr.update(choices=_solvers(known.solvers), value=EULER)
        return [known.revision, known.guidance, known.side, chosen]

    def fetch_it(state: Visitor, model_: str, revision_: str, lean_: bool) -> Iterator[Any]:
        try:
            work = fetching(model_.strip(), revision_, lean_)
            stopped = said("Stopped. What came is kept; Fetch goes on from there.")
            yield from until_halted(state, FETCHING, work, lambda: stopped)
        except (DownloadError, ValueError) as error:
            yield failed(error)
        except Exception as error:
            yield failed(RuntimeError(consent.explain(error, model_)))

    def draw(state: Visitor, *values: Any) -> Iterator[Any]:
        try:
            work = drawing(settings_of(*values))
            stopped = said("Stopped after the step in progress. The finished rows stay.")
            yield from until_halted(state, SAMPLING, work, lambda: (stopped, *[gr.skip()] * 4))
        except OutOfRoomError as error:
            smaller = error.smaller.title if error.smaller else AUTO
            offered = [AUTO] if error.smaller is None else [AUTO, smaller]
            known = [*dict.fromkeys([*offered, *_ways_of(values[0], values[1])])]
            yield failed(error), "", gr.skip(), gr.skip(), gr.update(choices=known, value=smaller)
        except ValueError as error:
            yield failed(error), "", gr.skip(), gr.skip(), gr.skip()
        except Exception as error:  # a pipeline of somebody else's: the page says it, the log has the rest
            _log.exception("Sampling %s failed", values[0])
            problem = RuntimeError(f"The pipeline failed: {error}")
            yield failed(problem), "", gr.skip(), gr.skip(), gr.skip()

    seen = [machine, models, detail, gate, lean, fetch, way]
    picked = models.input(_picked, None, model, trigger_mode="multiple", **_QUIET)
    # The last of several quick choices counts, for what follows a choice too.
    last: dict[str, Any] = {"trigger_mode": "always_last", **_QUIET}
    for chosen in (picked, model.input(lambda: None, None, None, **last)):
        chosen.then(choose, model, [revision, guidance, side, solver], **last).then(
            look, [model, revision], seen, **last
        )
    for asked in (tab.select, again.click, revision.submit):
        asked(look, [model, revision], seen, **last)
    loading = fetch.click(
        fetch_it,
        [visitor, model, revision, lean],
        fetched,
        concurrency_id="hub-fetch",
        concurrency_limit=2,
        trigger_mode="once",
        **_QUIET,
    )
    loading.then(look, [model, revision], seen, **_QUIET)
    stoppable(halt, visitor, fetched, FETCHING)
    inputs = [visitor, model, revision, prompt, steps, guidance, solver, shift, seed, side, count, way]
    go.click(
        draw,
        inputs,
        [status, live, grid, curve, way],
        concurrency_id="hub",
        concurrency_limit=MOST_WAITING,
        trigger_mode="once",
        **_QUIET,
    )
    stoppable(stop, visitor, status, SAMPLING)


def _any_allowed() -> bool:
    try:
        return consent.may_name_any()
    except ValueError:
        return False  # said on the page by `next_step`


def _machine_line() -> str:
    return f'<p class="fm-note">{this_machine().describe()}</p>'


def _picked(event: gr.EventData) -> Any:
    """The model that was pressed, if there is one of that name."""
    name = sent(event).get("model")
    return name if name in {known.id for known in CARDS} else gr.skip()


def _details(model: str, revision: str) -> tuple[str, Outlook | None, str, list[str]]:
    """The card in HTML, the model, what its gate asks for, and the ways to run it."""
    try:
        seen = outlook(model or "", this_machine(), revision)
        html = pieces.card_html(seen)
    except ValueError as error:
        return failed(error), None, "", [AUTO]
    gate = consent.how_to_pass_the_gate(seen.card) if seen.card and not seen.found else ""
    ways = [way.title for way in seen.choice.ways if way.fits] if seen.choice else []
    return html, seen, gate, [AUTO, *ways]


def _ways_of(model: str, revision: str) -> list[str]:
    return _details(model, revision)[3]


def _solvers(keys: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(SOLVERS[key], key) for key in keys]
