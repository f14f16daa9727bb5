"""One claim's page: sentence, formula, verdict and switches; what moves; figures and numbers; the text."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from fmstudio.note.claim import Claim
from fmstudio.note.report import Result
from fmstudio.plots.svg.figures import words_html
from fmstudio.studio import note
from fmstudio.studio.running import Begins, Done, Event, Reports, Waits
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.rooms.note import html
from fmstudio.ui.rooms.note.exhibits import EXHIBITS, Exhibit
from fmstudio.ui.rooms.note.page import Page
from fmstudio.ui.rooms.note.running import Run, run_and_stop
from fmstudio.ui.wiring import LAST, LATEX, TRAINS, Updates


@dataclass(frozen=True, eq=False)
class _Parts:
    """The page's run, the switch that breaks the claim, the places of a result, and what moves."""

    run: Run
    broken: gr.Checkbox
    outcome: gr.HTML
    panels: gr.HTML
    numbers: gr.HTML
    exhibit: Exhibit | None

    def figures(self, state: Visitor, result: Result, own: bool) -> Updates:
        """Panels, verdict and numbers of a result."""
        return {
            self.panels: html.figures_html(result),
            self.outcome: html.outcome_html(state, result, own),
            self.numbers: html.numbers_html(result, own),
        }


def build(visitor: gr.State, claim: Claim, tab: gr.Tab, overview: gr.HTML) -> Page:
    """Lay the page out in the current tab.

    Args:
        visitor: the session's state.
        claim: whose page it is.
        tab: the page's own; its label carries the verdict's mark.
        overview: the table of all claims, which a run changes too.
    """
    number, parts = claim.number, _lay_out(visitor, claim)

    def figures(state: Visitor, spoil: bool) -> Updates:
        return parts.figures(state, *note.shown(state, number, spoil))

    def run(state: Visitor, spoil: bool) -> Iterator[Updates]:
        """The prediction first, then the share, then the measurement over it."""

        def work() -> Generator[Result | float, None, Result]:
            yield note.predict(state, number)
            return (yield from note.run(state, number, spoil))

        def shown(event: Event[Result | float, Result]) -> Updates:
            match event:
                case Waits() | Begins():
                    return {}
                case Reports(Result() as predicted):
                    return parts.figures(state, predicted, True)
                case Done(result):
                    marks: Updates = {tab: gr.update(label=html.tab_label(state, number))}
                    marks[overview] = html.overview_html(state)
                    return parts.figures(state, result, True) | marks
                case _:
                    return figures(state, spoil)

        for updates in parts.run.told(state, work, shown):
            yield {visitor: state, **updates}

    def paint(state: Visitor) -> Updates:
        moving = {} if parts.exhibit is None else parts.exhibit.paint(state)
        return figures(state, False) | {parts.broken: False} | moving

    places: list[Component] = [parts.panels, parts.outcome, parts.numbers]
    outputs = [visitor, *places, parts.run.status, *parts.run.buttons.parts, tab, overview]
    parts.run.start.click(run, [visitor, parts.broken], outputs, **TRAINS)
    parts.run.let_stop(visitor)
    parts.broken.input(figures, [visitor, parts.broken], places, **LAST)
    moving = [] if parts.exhibit is None else parts.exhibit.outputs
    return Page(tab, paint, [*places, parts.broken, *moving])


def _lay_out(visitor: gr.State, claim: Claim) -> _Parts:
    number = claim.number
    with gr.Column(elem_classes=["fm-card", "note-head"]):
        gr.Markdown(
            f"#### {number} · section {claim.section} of the note\n"
            f"### {claim.title}\n{words_html(claim.sentence)}\n\n"
            f"$${claim.formula}$$",
            latex_delimiters=LATEX,
        )
        outcome = gr.HTML("", elem_id=f"outcome-{number}")
        with gr.Row():
            start, stop = run_and_stop(number, "Run")
            broken = gr.Checkbox(
                False, label="break it", interactive=True, elem_id=f"break-{number}", min_width=120
            )
        run = Run(number, start, stop, gr.HTML("", elem_id=f"status-{number}"))
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            exhibit = EXHIBITS[number](visitor) if number in EXHIBITS else None
            with gr.Column(elem_classes=["fm-card"]):
                panels = gr.HTML("", elem_id=f"panels-{number}")
                numbers = gr.HTML("", elem_id=f"numbers-{number}")
        with gr.Column(elem_classes=["fm-aside"]):
            _texts(claim)
    gr.HTML(html.pager_html(number))
    return _Parts(run, broken, outcome, panels, numbers, exhibit)


def _texts(claim: Claim) -> None:
    with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
        gr.Markdown(words.text(f"note/{claim.number.lower()}"), latex_delimiters=LATEX)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown(
            f"#### What would break it\n{words_html(claim.breaks)}\n\n"
            f"#### A question\n{words_html(claim.question)}"
        )
