"""What a visitor is told: figures, sentences in their place, toasts; and what a program is refused with."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from fmstudio.plots.plain import in_html


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values as a quiet table; a dash where nothing was measured yet."""
    if not rows:
        return '<p class="fm-note">Nothing measured yet.</p>'
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="fm-facts">{cells}</table>'


def said(text: str) -> str:
    """A quiet sentence in the place of a result or of progress."""
    return f'<p class="fm-note">{escape(text)}</p>'


def failed(error: Exception) -> str:
    """The sentence of an error, where the result would have stood."""
    return f'<p class="fm-note fm-warn">{escape(str(error))}</p>'


def warn(sentence: object) -> None:
    """Show a sentence, or that of an error, as a warning on the page: text, though Gradio draws HTML."""
    gr.Warning(in_html(str(sentence)))


def refusal(sentence: object) -> gr.Error:
    """An error to raise that says this sentence, as text, and leaves no traceback in the log."""
    return gr.Error(in_html(str(sentence)), print_exception=False)
