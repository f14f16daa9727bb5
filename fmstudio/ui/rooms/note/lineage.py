"""From 2015 to rectified flow on one slider: the method at its place, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.note.lineage import METHODS, QUESTION
from fmstudio.plots.svg.figures import words_html
from fmstudio.ui import claims, words
from fmstudio.ui.halting import until_halted
from fmstudio.ui.line import TRAININGS
from fmstudio.ui.report import said
from fmstudio.ui.rooms.note.running import BUSY, LATEX, POOLED, QUIET, READY, progress, steps
from fmstudio.ui.stop import stoppable
from fmstudio.ui.visitor import Visitor

FIRST = 3


def build(visitor: gr.State) -> tuple[Callable[[Visitor], list[Any]], list[Component]]:
    """Lay the page out in the current tab; returns what fills it, and the components that it fills."""
    with gr.Column(elem_classes=["fm-card"]):
        gr.Markdown(words.text("note/lineage"), latex_delimiters=LATEX)
        with gr.Column(elem_classes=["note-years"], min_width=0):
            slider = gr.Slider(
                0,
                len(METHODS) - 1,
                value=FIRST,
                step=1,
                label="from 2015 to rectified flow",
                show_label=False,
                container=False,
                buttons=[],
                interactive=True,
                elem_id="lineage-method",
            )
            gr.HTML(claims.years_html())
        formula = gr.Markdown("", latex_delimiters=LATEX, elem_id="lineage-formula")
        samples = gr.HTML("", elem_id="lineage-samples")
    with gr.Column(elem_classes=["fm-card"]):
        table = gr.HTML("", elem_id="lineage-table")
        with gr.Row():
            start = gr.Button(
                "Run on this data",
                variant="primary",
                size="sm",
                elem_id="run-lineage",
                elem_classes=["note-run"],
            )
            stop = gr.Button(
                "Stop", size="sm", interactive=False, elem_id="stop-lineage", elem_classes=["note-run"]
            )
        status = gr.HTML("", elem_id="status-lineage")
        gr.Markdown(f"#### A question\n{words_html(QUESTION)}")
    gr.HTML(claims.pager_html(None))

    def shown(state: Visitor, index: int) -> list[Any]:
        (found, own), place = claims.lineage_of(state), int(index)
        return [
            claims.lineage_formula(place),
            claims.lineage_samples(found, place),
            claims.lineage_table(found, own, place),
        ]

    skips = [gr.skip()] * 3

    def work(state: Visitor, index: int) -> Iterator[list[Any]]:
        yield [state, *skips, progress(0.0), *BUSY]
        for kind, value in steps(claims.run_lineage(state)):
            if kind == "share":
                yield [state, *skips, progress(value), gr.skip(), gr.skip()]
            elif kind == "failed":
                yield [state, *skips, value, *READY]
            else:
                yield [state, *shown(state, index), "", *READY]

    def run(state: Visitor, index: int) -> Iterator[list[Any]]:
        yield from until_halted(
            state,
            "lineage",
            TRAININGS.serve(lambda: work(state, index), lambda words_: [state, *skips, said(words_), *BUSY]),
            lambda: [state, *skips, "", *READY],
        )

    parts = [formula, samples, table]
    start.click(run, [visitor, slider], [visitor, *parts, status, start, stop], **POOLED)
    stoppable(stop, visitor, status, "lineage")
    slider.change(shown, [visitor, slider], parts, trigger_mode="always_last", **QUIET)

    def paint(state: Visitor) -> list[Any]:
        return [FIRST, *shown(state, FIRST)]

    return paint, [slider, *parts]
