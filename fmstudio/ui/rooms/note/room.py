"""The note: is what it claims true? Ten claims on pages of their own, each predicted, measured and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.note import CLAIMS
from fmstudio.ui import claims, words
from fmstudio.ui.events import NOW
from fmstudio.ui.halting import until_halted
from fmstudio.ui.line import TRAININGS
from fmstudio.ui.report import said
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.note import claim as claim_page
from fmstudio.ui.rooms.note import lineage as lineage_page
from fmstudio.ui.rooms.note.running import BUSY, LATEX, POOLED, READY, progress, steps
from fmstudio.ui.stop import stoppable
from fmstudio.ui.visitor import Visitor

# A row of the overview or a button of the pager opens a page; every page is read from its top.
_TURN = """
if (!window.fmNote) {
  window.fmNote = true;
  const top = () => { if (scrollY > 0) scrollTo({ top: 0 }); };
  document.addEventListener("click", (event) => {
    const to = event.target.closest("[data-claim]");
    if (to) document.getElementById(`page-${to.dataset.claim}-button`)?.click();
    if (to || event.target.closest("#note-pages > .tab-wrapper [role=tab]")) top();
  });
}
"""


@dataclass(frozen=True)
class Page:
    """One page of the room: its tab, what fills it, and how."""

    tab: gr.Tab
    paint: Callable[[Visitor], list[Any]]
    outputs: list[Component] = field(default_factory=list)


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    pages: dict[str, Page] = {}
    with gr.Tabs(elem_id="note-pages", selected="overview", overflow_behavior="wrap"):
        with gr.Tab("All ten", id="overview", elem_id="page-overview") as tab:
            overview, run_all = _overview(visitor)
        pages["overview"] = Page(tab, lambda state: [claims.overview_html(state)], [overview])
        for number, claim in CLAIMS.items():
            with gr.Tab(number, id=number, elem_id=f"page-{number}") as tab:
                pages[number] = Page(tab, *claim_page.build(visitor, claim, tab, overview))
        with gr.Tab("2015 → 2022", id="lineage", elem_id="page-lineage") as tab:
            pages["lineage"] = Page(tab, *lineage_page.build(visitor))
    tabs = [pages[number].tab for number in CLAIMS]
    run_all(tabs)

    def fresh(state: Visitor, name: str) -> bool:
        return state.painted.get(f"note/{name}") == (state.experiment, 0)

    def paint(state: Visitor, name: str) -> list[Any]:
        """The page if it does not show the visitor's experiment yet, else nothing new."""
        if fresh(state, name):
            return [gr.skip() for _ in pages[name].outputs]
        updates = pages[name].paint(state)
        state.painted[f"note/{name}"] = (state.experiment, 0)
        return updates

    def entering(name: str) -> Callable[[Visitor, float], list[Any]]:
        def enter(state: Visitor, moment: float) -> list[Any]:
            if state.turn("page", moment):
                state.page = name
            return [state, *paint(state, name)]

        return enter

    moment = gr.Number(visible="hidden")
    for name, page in pages.items():
        page.tab.select(
            entering(name),
            [visitor, moment],
            [visitor, *page.outputs],
            js=NOW,
            show_progress="minimal",
            trigger_mode="multiple",
            api_visibility="private",
        )

    def repaint(state: Visitor) -> list[Any]:
        """The overview, the marks and the page on screen; the others when they are turned to."""
        updates: list[Any] = []
        for name, page in pages.items():
            on_screen = name in ("overview", state.page)
            updates += paint(state, name) if on_screen else [gr.skip() for _ in page.outputs]
        return [*updates, *(gr.update(label=claims.tab_label(state, number)) for number in CLAIMS)]

    outputs = [part for page in pages.values() for part in page.outputs]
    return Room(repaint=repaint, outputs=[*outputs, *tabs])  # pyright: ignore[reportArgumentType]


def _overview(visitor: gr.State) -> tuple[gr.HTML, Callable[[list[gr.Tab]], None]]:
    """The first page; returns the table of claims, and what wires its buttons once the tabs are there."""
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column(elem_classes=["fm-card"]):
            overview = gr.HTML(
                "",
                html_template="${value}",
                js_on_load=_TURN,
                apply_default_css=False,
                elem_id="note-overview",
            )
            with gr.Row():
                start = gr.Button(
                    "Run all ten", variant="primary", size="sm", elem_id="run-all", elem_classes=["note-run"]
                )
                stop = gr.Button(
                    "Stop", size="sm", interactive=False, elem_id="stop-all", elem_classes=["note-run"]
                )
            status = gr.HTML("", elem_id="status-all")
        with (
            gr.Column(elem_classes=["fm-aside", "note-wide"]),
            gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0),
        ):
            gr.Markdown(words.text("note/intro"), latex_delimiters=LATEX)

    def wire(tabs: list[gr.Tab]) -> None:
        def label(state: Visitor) -> list[Any]:
            return [gr.update(label=claims.tab_label(state, number)) for number in CLAIMS]

        quiet = [gr.skip() for _ in tabs]

        def work(state: Visitor) -> Iterator[list[Any]]:
            yield [state, gr.skip(), progress(0.0, "C1"), *BUSY, *quiet]
            for k, number in enumerate(CLAIMS):
                for kind, value in steps(claims.run(state, number, False)):
                    if kind == "share":
                        bar = progress((k + value) / len(CLAIMS), f"{number} {CLAIMS[number].title}")
                        yield [state, gr.skip(), bar, gr.skip(), gr.skip(), *quiet]
                    if kind == "failed":
                        yield [state, gr.skip(), value, *READY, *quiet]
                        return
                state.painted.pop(f"note/{number}", None)
                yield [state, claims.overview_html(state), gr.skip(), gr.skip(), gr.skip(), *label(state)]
            yield [state, claims.overview_html(state), "", *READY, *label(state)]

        def run(state: Visitor) -> Iterator[list[Any]]:
            yield from until_halted(
                state,
                "all",
                TRAININGS.serve(
                    lambda: work(state), lambda words_: [state, gr.skip(), said(words_), *BUSY, *quiet]
                ),
                lambda: [state, claims.overview_html(state), "", *READY, *quiet],
            )

        outputs = [visitor, overview, status, start, stop, *tabs]
        start.click(run, visitor, outputs, **POOLED)
        stoppable(stop, visitor, status, "all")

    return overview, wire
