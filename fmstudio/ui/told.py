"""What a visitor is told in a toast, and a program in a refusal: text, though Gradio draws both as HTML."""

from __future__ import annotations

import gradio as gr

from fmstudio.plots.plain import in_html


def warn(said: object) -> None:
    """Show a sentence, or that of an error, as a warning on the page."""
    gr.Warning(in_html(str(said)))


def refusal(said: object) -> gr.Error:
    """An error to raise that says this sentence, and leaves no traceback in the log."""
    return gr.Error(in_html(str(said)), print_exception=False)
