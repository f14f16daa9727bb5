"""Get code: a dialog over the page with the experiment as a plain PyTorch script, to copy or to keep.

The bar's button is plain HTML; ``assets/js/page/code.js`` opens and closes the dialog in the browser, and
the hidden button beside it asks the server for the script of the visitor's experiment.
"""

from __future__ import annotations

import gradio as gr

from fmstudio.learn.export.script import script
from fmstudio.learn.nets.net_card import NetCard
from fmstudio.studio.session import Visitor
from fmstudio.ui.wiring import QUIET

_HEAD = """
<div class="code-head">
  <h2 id="code-title">This experiment in plain PyTorch</h2>
  <button type="button" data-fm="code-close" aria-label="Close">×</button>
</div>
"""
_HOW = (
    "It needs numpy and torch, and scipy for optimal transport: `python experiment.py --steps 500` trains "
    "for 500 steps, writes `samples.npy` and prints how far the samples are from the data."
)
_SAVE = """(text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text.trimEnd() + "\\n"], {type: "text/x-python"}));
  link.download = "experiment.py";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


def build(visitor: gr.State) -> None:
    """Add the dialog to the page under construction; it writes the visitor's experiment."""
    with gr.Column(elem_id="code-dialog"), gr.Column(elem_id="code-card", elem_classes=["fm-card"]):
        gr.HTML(_HEAD, apply_default_css=False)
        said = gr.Markdown(_HOW)
        code = gr.Code(
            language="python", interactive=False, show_label=False, buttons=["copy"], elem_id="code-text"
        )
        save = gr.Button("Download experiment.py", size="sm", elem_id="code-save")
        ask = gr.Button("Write the script", elem_id="code-ask")
    ask.click(written, visitor, [code, said], **QUIET)
    save.click(None, code, None, js=_SAVE, **QUIET)


def written(state: Visitor) -> tuple[str, str]:
    """The script of the visitor's experiment, or an empty text, and what must be known of it."""
    try:
        return script(state.experiment), " ".join([_HOW, *_other_net(state)])
    except ValueError as error:
        return "", f"There is no script for this experiment. {error}"


def _other_net(state: Visitor) -> list[str]:
    """What the net on screen is that the script does not train."""
    if state.checkpoint is None:
        return []
    net = NetCard.of(state.checkpoint)
    if not net.fits(state.experiment):
        return ["The net on screen learned another experiment; the script trains this one."]
    if net.straightened:
        return ["The net on screen was straightened; the script trains the net before that."]
    if state.experiment.conditional and not net.classes:
        return ["The net on screen knows no class; the script trains one that is told it."]
    return []
