"""The note: is what it claims true? Ten claims on pages of their own, each predicted, measured and judged."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from fmstudio.note import CLAIMS
from fmstudio.studio.session import Visitor
from fmstudio.ui.room import Room
from fmstudio.ui.rooms.note import claim as claim_page
from fmstudio.ui.rooms.note import lineage as lineage_page
from fmstudio.ui.rooms.note import overview
from fmstudio.ui.rooms.note.page import Page
from fmstudio.ui.wiring import NOW, SEEN, Part, Updates


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    pages: dict[str, Page] = {}
    with gr.Tabs(elem_id="note-pages", selected="overview", overflow_behavior="wrap"):
        with gr.Tab("All ten", id="overview", elem_id="page-overview") as tab:
            first = overview.lay_out()
        pages["overview"] = first.page(tab)
        for number, claim in CLAIMS.items():
            with gr.Tab(number, id=number, elem_id=f"page-{number}") as tab:
                pages[number] = claim_page.build(visitor, claim, tab, first.table)
        with gr.Tab("2015 → 2022", id="lineage", elem_id="page-lineage") as tab:
            pages["lineage"] = lineage_page.build(visitor, tab)
    tabs = [pages[number].tab for number in CLAIMS]
    first.wire(visitor, tabs)
    moment = gr.Number(visible="hidden")
    for name, page in pages.items():
        outputs = [visitor, *page.outputs]
        turned = _turned(visitor, name, page)
        page.tab.select(turned, [visitor, moment], outputs, js=NOW, trigger_mode="multiple", **SEEN)

    def repaint(state: Visitor) -> Updates:
        """The overview, the marks and the page on screen; the others when they are turned to."""
        updates = overview.marks(state, tabs)
        for name in dict.fromkeys(["overview", state.rooms.page]):
            updates |= _painted(state, name, pages[name])
        return updates

    parts: list[Part] = [part for page in pages.values() for part in page.outputs]
    return Room(repaint=repaint, outputs=[*parts, *tabs])


def _turned(visitor: gr.State, name: str, page: Page) -> Callable[[Visitor, float], Updates]:
    """The handler of one page's tab."""

    def turn(state: Visitor, moment: float) -> Updates:
        if state.browser.turn("page", moment):
            state.rooms.page = name
        return {visitor: state, **_painted(state, name, page)}

    return turn


def _painted(state: Visitor, name: str, page: Page) -> Updates:
    """The page if it does not show the visitor's experiment yet, else nothing new."""
    if state.browser.pages.get(name) == state.experiment:
        return {}
    updates = page.paint(state)
    state.browser.pages[name] = state.experiment
    return updates
