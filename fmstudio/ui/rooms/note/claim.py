"""One claim's page: sentence, formula, verdict and switches; what moves; figures and numbers; the text."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import gradio as gr
from gradio.components import Component

from fmstudio.note.claim import Claim
from fmstudio.note.report import Result
from fmstudio.plots.svg.figures import words_html
from fmstudio.plots.svg.page import panels_html
from fmstudio.studio import note
from fmstudio.studio.running import Begins, Done, Event, Reports, Waits
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.rooms.note import html
from fmstudio.ui.rooms.note.exhibits import EXHIBITS
from fmstudio.ui.rooms.note.page import Page
from fmstudio.ui.rooms.note.running import Run, run_and_stop
from fmstudio.ui.wiring import LAST, LATEX, Updates


class Controls:
    """The page in the current tab: the run, the switch that breaks the claim, a result, and what moves.

    Args:
        visitor: the session's state.
        claim: whose page it is.
    """

    def __init__(self, visitor: gr.State, claim: Claim) -> None:
        number = claim.number
        with gr.Column(elem_classes=["fm-card", "note-head"]):
            gr.Markdown(
                f"#### {number} · section {claim.section} of the note\n"
                f"### {claim.title}\n{words_html(claim.said('sentence'))}\n\n"
                f"$${claim.said('formula')}$$",
                latex_delimiters=LATEX,
            )
            self.outcome = gr.HTML("", elem_id=f"outcome-{number}")
            with gr.Row():
                buttons = run_and_stop(number, "Run")
                self.broken = gr.Checkbox(
                    False, label="break it", interactive=True, elem_id=f"break-{number}", min_width=120
                )
            self.run = Run(number, *buttons, gr.HTML("", elem_id=f"status-{number}"))
        with gr.Row(elem_classes=["fm-columns"]):
            with gr.Column():
                self.exhibit = EXHIBITS[number](visitor) if number in EXHIBITS else None
                with gr.Column(elem_classes=["fm-card"]):
                    self.panels = gr.HTML("", elem_id=f"panels-{number}")
                    self.numbers = gr.HTML("", elem_id=f"numbers-{number}")
            with gr.Column(elem_classes=["fm-aside"]):
                _texts(claim)
        gr.HTML(html.pager_html(number))

    def figures(self, state: Visitor, result: Result, own: bool) -> Updates:
        """Panels, verdict and numbers of a result."""
        return {
            self.panels: "" if result.refusal else panels_html(result),
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
    number, page = claim.number, Controls(visitor, claim)

    def figures(state: Visitor, spoil: bool) -> Updates:
        return page.figures(state, *note.shown(state, number, spoil))

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
                    return page.figures(state, predicted, True)
                case Done(result):
                    marks: Updates = {tab: gr.update(label=html.tab_label(state, number))}
                    marks[overview] = html.overview_html(state)
                    return page.figures(state, result, True) | marks
                case _:
                    return figures(state, spoil)

        return page.run.told(state, work, shown)

    def paint(state: Visitor) -> Updates:
        moving = {} if page.exhibit is None else page.exhibit.paint(state)
        return figures(state, False) | {page.broken: False} | moving

    places: list[Component] = [page.panels, page.outcome, page.numbers]
    page.run.wire(visitor, run, [page.broken], [*places, tab, overview])
    page.broken.input(figures, [visitor, page.broken], places, **LAST)
    moving = [] if page.exhibit is None else page.exhibit.outputs
    return Page(tab, paint, [*places, page.broken, *moving])


def _texts(claim: Claim) -> None:
    with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
        gr.Markdown(words.text(f"note/{claim.number.lower()}"), latex_delimiters=LATEX)
    with gr.Column(elem_classes=["fm-card"], min_width=0):
        gr.Markdown(
            f"#### What would break it\n{words_html(claim.said('breaks'))}\n\n"
            f"#### A question\n{words_html(claim.said('question'))}"
        )
