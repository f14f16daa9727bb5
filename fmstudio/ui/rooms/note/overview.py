"""The first page of the note's room: all claims in a table, and a run of all ten."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import gradio as gr

from fmstudio.note import CLAIMS
from fmstudio.studio import note
from fmstudio.studio.running import Done, Event, Halted, Reports
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.rooms.note import html
from fmstudio.ui.rooms.note.page import Page
from fmstudio.ui.rooms.note.running import Run, Share, run_and_stop
from fmstudio.ui.wiring import LATEX, Updates

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


@dataclass(frozen=True, eq=False)
class Overview:
    """The table of claims and the run of all.

    Args:
        table: of the claims.
        run: of all.
    """

    table: gr.HTML
    run: Run

    def page(self, tab: gr.Tab) -> Page:
        """The page that it is."""
        return Page(tab, lambda state: {self.table: html.overview_html(state)}, [self.table])

    def wire(self, visitor: gr.State, tabs: Sequence[gr.Tab]) -> None:
        """Let its buttons work.

        Args:
            visitor: the session's state.
            tabs: of the claims, whose labels carry the verdicts' marks.
        """

        def run(state: Visitor) -> Iterator[Updates]:
            def shown(event: Event[Share | str, None]) -> Updates:
                if not isinstance(event, Reports | Done | Halted):
                    return {}
                labels = {} if isinstance(event, Halted) else marks(state, tabs)
                return {self.table: html.overview_html(state), **labels}

            return self.run.told(state, lambda: _all(state), shown)

        self.run.wire(visitor, run, [], [self.table, *tabs])


def marks(state: Visitor, tabs: Sequence[gr.Tab]) -> Updates:
    """The claims' tabs with the marks of their verdicts."""
    return {
        tab: gr.update(label=html.tab_label(state, number)) for number, tab in zip(CLAIMS, tabs, strict=True)
    }


def _all(state: Visitor) -> Generator[Share | str, None, None]:
    """Run every claim; yields shares, and each claim's number at its end."""
    yield Share(0.0, "C1")
    for k, (number, claim) in enumerate(CLAIMS.items()):
        for share in note.run(state, number, False):
            yield Share((k + share) / len(CLAIMS), f"{number} {claim.title}")
        state.browser.pages.pop(number, None)
        yield number


def lay_out() -> Overview:
    """Lay the page out in the current tab."""
    with gr.Row(elem_classes=["fm-columns"]):
        with gr.Column(elem_classes=["fm-card"]):
            table = gr.HTML(
                "",
                html_template="${value}",
                js_on_load=_TURN,
                apply_default_css=False,
                elem_id="note-overview",
            )
            with gr.Row():
                start, stop = run_and_stop("all", "Run all ten")
            run = Run("all", start, stop, gr.HTML("", elem_id="status-all"))
        with (
            gr.Column(elem_classes=["fm-aside", "note-wide"]),
            gr.Column(elem_classes=["fm-card", "fm-first"], min_width=0),
        ):
            gr.Markdown(words.text("note/intro"), latex_delimiters=LATEX)
    return Overview(table, run)
