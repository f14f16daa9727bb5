"""One claim's page: sentence, formula, verdict and switches; what moves; figures and numbers; the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.note.claim import Claim
from fmstudio.note.report import Result
from fmstudio.plots.svg.figures import words_html
from fmstudio.ui import claims, words
from fmstudio.ui.halting import until_halted
from fmstudio.ui.line import TRAININGS
from fmstudio.ui.report import said
from fmstudio.ui.rooms.note.exhibits import EXHIBITS
from fmstudio.ui.rooms.note.running import BUSY, LATEX, POOLED, QUIET, READY, progress, steps
from fmstudio.ui.stop import stoppable
from fmstudio.ui.told import warn
from fmstudio.ui.visitor import Visitor


def build(
    visitor: gr.State, claim: Claim, tab: gr.Tab, overview: gr.HTML
) -> tuple[Callable[[Visitor], list[Any]], list[Component]]:
    """Lay the page out in the current tab.

    Args:
        visitor: the session's state.
        claim: whose page it is.
        tab: the page's own; its label carries the verdict's mark.
        overview: the table of all claims, which a run changes too.

    Returns:
        What fills the page for a visitor, and the components that it fills.
    """
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
            start = gr.Button(
                "Run", variant="primary", size="sm", elem_id=f"run-{number}", elem_classes=["note-run"]
            )
            stop = gr.Button(
                "Stop", size="sm", interactive=False, elem_id=f"stop-{number}", elem_classes=["note-run"]
            )
            broken = gr.Checkbox(
                False, label="break it", interactive=True, elem_id=f"break-{number}", min_width=120
            )
        status = gr.HTML("", elem_id=f"status-{number}")
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column():
            exhibit = EXHIBITS[number](visitor) if number in EXHIBITS else None
            with gr.Column(elem_classes=["fm-card"]):
                panels = gr.HTML("", elem_id=f"panels-{number}")
                numbers = gr.HTML("", elem_id=f"numbers-{number}")
        with gr.Column(elem_classes=["fm-aside"]):
            with gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0):
                gr.Markdown(words.text(f"note/{number.lower()}"), latex_delimiters=LATEX)
            with gr.Column(elem_classes=["fm-card"], min_width=0):
                gr.Markdown(
                    f"#### What would break it\n{words_html(claim.breaks)}\n\n"
                    f"#### A question\n{words_html(claim.question)}"
                )
    gr.HTML(claims.pager_html(number))

    def figures(state: Visitor, spoil: bool) -> list[Any]:
        return _figures(state, *claims.shown(state, number, spoil))

    skips, elsewhere = [gr.skip()] * 3, [gr.skip()] * 2

    def work(state: Visitor, spoil: bool) -> Iterator[list[Any]]:
        """The prediction first, then the share, then the measurement over it."""
        try:
            first = _figures(state, claims.predict(state, number), True)
        except (ValueError, RuntimeError, ArithmeticError) as problem:
            warn(problem)
            yield [state, *skips, "", *READY, *elsewhere]
            return
        yield [state, *first, progress(0.0), *BUSY, *elsewhere]
        for kind, value in steps(claims.run(state, number, spoil)):
            if kind == "share":
                yield [state, *skips, progress(value), gr.skip(), gr.skip(), *elsewhere]
            elif kind == "failed":
                yield [state, *figures(state, spoil), value, *READY, *elsewhere]
            else:
                marks = [gr.update(label=claims.tab_label(state, number)), claims.overview_html(state)]
                yield [state, *_figures(state, value, True), "", *READY, *marks]

    def run(state: Visitor, spoil: bool) -> Iterator[list[Any]]:
        yield from until_halted(
            state,
            number,
            TRAININGS.serve(
                lambda: work(state, spoil), lambda words_: [state, *skips, said(words_), *BUSY, *elsewhere]
            ),
            lambda: [state, *figures(state, spoil), "", *READY, *elsewhere],
        )

    parts = [panels, outcome, numbers]
    buttons = [*parts, status, start, stop]
    start.click(run, [visitor, broken], [visitor, *buttons, tab, overview], **POOLED)
    stoppable(stop, visitor, status, number)
    broken.input(figures, [visitor, broken], parts, trigger_mode="always_last", **QUIET)

    def paint(state: Visitor) -> list[Any]:
        moving = [] if exhibit is None else exhibit.paint(state)
        return [*figures(state, False), False, *moving]

    return paint, [*parts, broken, *([] if exhibit is None else exhibit.outputs)]


def _figures(state: Visitor, result: Result, own: bool) -> list[Any]:
    """Panels, verdict and numbers of a result."""
    return [
        claims.figures_html(result),
        claims.outcome_html(state, result, own),
        claims.numbers_html(result, own),
    ]
