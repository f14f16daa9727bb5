"""From 2015 to rectified flow on one slider: the method at its place, and the table of all."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
from gradio.components import Component

from fmstudio.note.lineage import METHODS, Lineage
from fmstudio.plots.svg.figures import words_html
from fmstudio.studio import note
from fmstudio.studio.running import Done, Event
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.rooms.note import html
from fmstudio.ui.rooms.note.page import Page
from fmstudio.ui.rooms.note.running import Run, run_and_stop
from fmstudio.ui.wiring import LAST, LATEX, Updates

FIRST = 3
"""The method that is shown first."""


class Controls:
    """The page in the current tab: the slider, what it shows of a method, the table of all, and the run."""

    def __init__(self) -> None:
        with gr.Column(elem_classes=["fm-card"]):
            gr.Markdown(words.text("note/lineage"), latex_delimiters=LATEX)
            with gr.Column(elem_classes=["note-years"], min_width=0):
                self.slider = gr.Slider(
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
                gr.HTML(html.years_html())
            self.formula = gr.Markdown("", latex_delimiters=LATEX, elem_id="lineage-formula")
            self.samples = gr.HTML("", elem_id="lineage-samples")
        with gr.Column(elem_classes=["fm-card"]):
            self.table = gr.HTML("", elem_id="lineage-table")
            with gr.Row():
                buttons = run_and_stop("lineage", "Run on this data")
            self.run = Run("lineage", *buttons, gr.HTML("", elem_id="status-lineage"))
            gr.Markdown(f"#### A question\n{words_html(words.sections('note/claims')['lineage question'])}")
        gr.HTML(html.pager_html(None))

    def shown(self, state: Visitor, place: int) -> Updates:
        """The method at a place of the slider."""
        found, own = note.lineage_of(state)
        return {
            self.formula: html.lineage_formula(place),
            self.samples: html.lineage_samples(found, place),
            self.table: html.lineage_table(found, own, place),
        }


def build(visitor: gr.State, tab: gr.Tab) -> Page:
    """Lay the page out in the current tab."""
    page = Controls()

    def run(state: Visitor, place: float) -> Iterator[Updates]:
        def shown(event: Event[float, Lineage]) -> Updates:
            return page.shown(state, int(place)) if isinstance(event, Done) else {}

        return page.run.told(state, lambda: note.run_lineage(state), shown)

    def slid(state: Visitor, place: float) -> Updates:
        return page.shown(state, int(place))

    places: list[Component] = [page.formula, page.samples, page.table]
    page.run.wire(visitor, run, [page.slider], places)
    page.slider.change(slid, [visitor, page.slider], places, **LAST)

    def paint(state: Visitor) -> Updates:
        return {page.slider: FIRST, **page.shown(state, FIRST)}

    return Page(tab, paint, [page.slider, *places])
