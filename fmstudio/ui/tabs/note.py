"""The note: is what it claims true? Ten claims, each predicted, measured and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from fmstudio.note import CLAIMS
from fmstudio.note.claim import Claim
from fmstudio.note.lineage import METHODS
from fmstudio.plots.note_figures import words_html
from fmstudio.ui import claims, words
from fmstudio.ui.room import Room
from fmstudio.ui.tabs.report import failed
from fmstudio.ui.training import POOL
from fmstudio.ui.visitor import Visitor

LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "$", "right": "$", "display": False},
]
YIELD_EVERY = 0.25
"""Seconds between two reports of the finished share."""

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_POOLED: dict[str, Any] = {
    "concurrency_id": "training",
    "concurrency_limit": POOL,
    "api_visibility": "private",
}


def build(visitor: gr.State) -> Room:
    """Lay the room out in the current tab."""
    with gr.Column(elem_classes=["fm-card", "note-intro"]):
        gr.Markdown(words.text("note/intro"), latex_delimiters=LATEX)
        gr.HTML(_contents())
    exhibits = [_exhibit(visitor, claim) for claim in CLAIMS.values()]
    table, slider, samples = _lineage(visitor)

    def repaint(state: Visitor) -> list[Any]:
        updates: list[Any] = []
        for number in CLAIMS:
            updates += [*_painted(state, number, False), False]
        lineage = claims.lineage_of(state)
        return [*updates, claims.lineage_table(lineage), 2, claims.lineage_samples(lineage, 2)]

    outputs = [part for parts in exhibits for part in parts]
    return Room(repaint=repaint, outputs=[*outputs, table, slider, samples])


def _contents() -> str:
    links = "".join(f'<a href="#claim-{c.number}">{c.number} {c.title}</a>' for c in CLAIMS.values())
    return f'<nav class="note-contents">{links}<a href="#claim-lineage">2015 to rectified flow</a></nav>'


def _painted(state: Visitor, number: str, broken: bool) -> list[str]:
    result, own = claims.shown(state, number, broken)
    return [claims.figures_html(result), claims.outcome_html(result, own)]


def _progress(share: float) -> str:
    return f'<progress value="{share:.3f}" max="1"></progress>'


def _exhibit(visitor: gr.State, claim: Claim) -> list[Any]:
    """One claim's card and text; returns what a change of the experiment repaints."""
    number = claim.number
    with gr.Row(elem_classes=["fm-columns"], elem_id=f"claim-{number}"):
        with gr.Column(elem_classes=["fm-card"]):
            gr.Markdown(
                f"#### {number} · section {claim.section} of the note\n"
                f"### {claim.title}\n{words_html(claim.sentence)}\n\n"
                f"$${claim.formula}$$",
                latex_delimiters=LATEX,
            )
            panels = gr.HTML("", elem_id=f"panels-{number}")
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
        with gr.Column(elem_classes=["fm-aside"]), gr.Column(elem_classes=["fm-card"], min_width=0):
            gr.Markdown(words.text(f"note/{number.lower()}"), latex_delimiters=LATEX)
            gr.Markdown(
                f"**What would break it.** {words_html(claim.breaks)}\n\n"
                f"**A question.** {words_html(claim.question)}"
            )

    def run(state: Visitor, spoil: bool) -> Iterator[list[Any]]:
        """The prediction first, then the share, then the measurement over it."""

        def last(result: Any) -> list[Any]:
            return [claims.figures_html(result), claims.outcome_html(result, True)]

        def first() -> list[Any]:
            return last(claims.predict(state, number))

        yield from _steps(state, lambda: claims.run(state, number, spoil), first, last)

    def stopped(state: Visitor, spoil: bool) -> list[Any]:
        return [
            *_painted(state, number, spoil),
            "",
            gr.update(interactive=True),
            gr.update(interactive=False),
        ]

    buttons = [panels, outcome, status, start, stop]
    running = start.click(run, [visitor, broken], [visitor, *buttons], show_progress="hidden", **_POOLED)
    stop.click(stopped, [visitor, broken], buttons, cancels=running, **_QUIET)
    broken.input(
        lambda state, spoil: _painted(state, number, spoil), [visitor, broken], [panels, outcome], **_QUIET
    )
    return [panels, outcome, broken]


def _steps(
    state: Visitor, work: Callable[[], Any], first: Callable[[], list[Any]], last: Callable[[Any], list[Any]]
) -> Iterator[list[Any]]:
    """Run a generator of shares for the page: a bar now and then, the result at the end, errors as sentences.

    Yields [state, *outputs of first or last, status, Run, Stop].
    """
    ready = [gr.update(interactive=True), gr.update(interactive=False)]
    busy = [gr.update(interactive=False), gr.update(interactive=True)]
    skips = [gr.skip(), gr.skip()]
    try:
        yield [state, *first(), _progress(0.0), *busy]
        running, drawn = work(), time.monotonic()
        try:
            while True:
                share = next(running)
                if time.monotonic() - drawn > YIELD_EVERY:
                    drawn = time.monotonic()
                    yield [state, *skips, _progress(share), gr.skip(), gr.skip()]
        except StopIteration as end:
            yield [state, *last(end.value), "", *ready]
        finally:
            running.close()
    except (ValueError, RuntimeError, ArithmeticError) as problem:
        yield [state, *skips, failed(problem), *ready]


def _lineage(visitor: gr.State) -> tuple[gr.HTML, gr.Slider, gr.HTML]:
    with gr.Column(elem_classes=["fm-card"], elem_id="claim-lineage"):
        losses = "\n".join(f"- {name}, {year}: ${loss}$" for name, year, _, _, loss in METHODS)
        gr.Markdown(f"{words.text('note/lineage')}\n\n{losses}", latex_delimiters=LATEX)
        slider = gr.Slider(
            0,
            4,
            value=2,
            step=1,
            label="steps: 1 · 2 · 4 · 8 · 32",
            interactive=True,
            elem_id="lineage-steps",
        )
        samples = gr.HTML("", elem_id="lineage-samples")
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

    def run(state: Visitor, index: int) -> Iterator[list[Any]]:
        def last(table: Any) -> list[Any]:
            return [claims.lineage_table(table), claims.lineage_samples(table, int(index))]

        yield from _steps(state, lambda: claims.run_lineage(state), lambda: [gr.skip(), gr.skip()], last)

    def stopped() -> list[Any]:
        return ["", gr.update(interactive=True), gr.update(interactive=False)]

    running = start.click(
        run,
        [visitor, slider],
        [visitor, table, samples, status, start, stop],
        show_progress="hidden",
        **_POOLED,
    )
    stop.click(stopped, None, [status, start, stop], cancels=running, **_QUIET)
    slider.change(
        lambda state, index: claims.lineage_samples(claims.lineage_of(state), int(index)),
        [visitor, slider],
        samples,
        trigger_mode="always_last",
        **_QUIET,
    )
    return table, slider, samples
