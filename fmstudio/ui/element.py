"""Elements of the studio's own: parts of the page that a module of ``assets/js`` draws and listens to."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from abc import ABCMeta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr
from gradio.component_meta import updateable

from fmstudio.plots.script import studio_script

# The script hears it on its way up: assets/js/studio.js. Gradio takes every word in quotes for an event, and
# so for an attribute of the element; in a string of JSON the quotes are escaped.
_MOUNT = """
const how = JSON.parse({how}), triggers = {triggers}, detail = {{ ...how, props, watch, trigger }};
if (element.dispatchEvent(new CustomEvent("fm-mount", {{ bubbles: true, cancelable: true, detail }})))
  element.textContent = "The studio's script did not load.";
"""


class QuietMeta(type(gr.HTML)):
    """Makes the class without Gradio's habit of writing a .pyi file beside its source."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> type:
        """Make the class as Gradio does, without the file."""
        if "__init__" in attrs:
            attrs["__init__"] = updateable(attrs["__init__"])
        return ABCMeta.__new__(mcs, name, bases, attrs)


class Element(gr.HTML, metaclass=QuietMeta):
    """A part of the page whose ``module`` in ``assets/js`` exports ``mount``; all share one script.

    Args:
        value: what the module reads as ``props.value``.
        html: what it finds in its place.
        given: what else it is given once, as JSON.
        more: of ``gr.HTML``; what it does not know becomes a prop.
    """

    module: ClassVar[str]
    """Its name in ``assets/js/studio.js``."""
    triggers: ClassVar[tuple[str, ...]] = ()
    """What it may trigger; each is an event of the element."""

    def __init__(self, value: Any = None, *, html: str = "", given: Any = None, **more: Any):
        how = json.dumps(json.dumps({"module": self.module, "given": given}))
        super().__init__(
            value=value,
            html_template=html,
            js_on_load=_MOUNT.format(how=how, triggers=json.dumps(self.triggers)),
            head=f'<script src="{script_address()}"></script>',
            apply_default_css=False,
            **more,
        )

    def get_block_name(self) -> str:
        """Gradio draws this as its own HTML component."""
        return "html"


def script_address() -> str:
    """Where the page finds the elements' script: a file of this process, served by Gradio.

    Gradio loads a script with an address once, whichever and however many elements ask for it; one without
    stands in the page again with every element.
    """
    return f"gradio_api/file={script_file().as_posix()}"


def script_file() -> Path:
    """The script's file, in the folder of the page that is built, and gone with it."""
    return _written(os.environ.get("GRADIO_TEMP_DIR"))


@cache
def _written(named: str | None) -> Path:
    if named is None:
        folder = Path(tempfile.mkdtemp(prefix="fmstudio-script-")).resolve()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        folder = Path(named).resolve()
    script = studio_script().encode()
    # Another script has another name, whatever a browser has kept.
    file = folder / f"studio-{hashlib.sha256(script).hexdigest()[:16]}.js"
    file.write_bytes(script)
    gr.set_static_paths([file])
    return file


def preload() -> str:
    """Markup for the page's head: the script is on its way while Gradio's own still load."""
    return f'<link rel="preload" as="script" href="{script_address()}">'
