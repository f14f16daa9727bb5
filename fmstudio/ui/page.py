"""The page: the bar, the sidebar with the experiment, and the rooms beside it."""

from __future__ import annotations

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.studio.session import Visitor
from fmstudio.ui import api, code_dialog, sidebar
from fmstudio.ui.dragging import wire_dragging, wire_sampling
from fmstudio.ui.experiment_link import wire_experiment
from fmstudio.ui.lessons import Lessons
from fmstudio.ui.live_plot import PLOTLY_JS
from fmstudio.ui.painting import wire_painting
from fmstudio.ui.room import Room
from fmstudio.ui.rooms import paths
from fmstudio.ui.rooms.images import room as images
from fmstudio.ui.rooms.note import room as note
from fmstudio.ui.rooms.sample import room as sample
from fmstudio.ui.rooms.train import room as train

TABS = (
    ("Paths", paths.build),
    ("Train", train.build),
    ("Sample", sample.build),
    ("The note", note.build),
    ("Images", images.build),
)
"""The rooms, in the order of the bar."""

_LOGO = (
    '<svg width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">'
    '<path d="M5 20C12 20 12 6 21 6" fill="none" stroke="var(--fm-original)" stroke-width="2.4"/>'
    '<circle cx="5" cy="20" r="3.6" fill="var(--fm-noise)"/>'
    '<circle cx="21" cy="6" r="3.6" fill="var(--fm-data)"/></svg>'
)
_BAR = f"""
<div class="bar">
  <button type="button" class="fold" data-fm="fold" aria-expanded="false"
    aria-label="Show or hide the experiment">☰</button>
  {_LOGO}<h1 class="title">Flow Matching Studio</h1><span class="grow"></span>
  <button type="button" data-fm="lessons">Lessons</button>
  <button type="button" class="wide" data-fm="code">Get code</button>
  <button type="button" data-fm="link"><span class="wide">Copy link</span
    ><span class="narrow">Link</span></button>
  <button type="button" data-fm="theme" aria-label="Switch between light and dark">◐</button>
</div>
"""


def build() -> gr.Blocks:
    """Assemble the page. Every call makes a new one; nothing is shared between visitors but the code."""
    gr.set_static_paths([PLOTLY_JS, ASSETS])
    with gr.Blocks(title="Flow Matching Studio", analytics_enabled=False, fill_width=True) as page:
        # First, so that no event of the page takes their names.
        api.add_endpoints()
        visitor = gr.State(Visitor())
        gr.HTML(_BAR, elem_id="bar", apply_default_css=False)
        with gr.Row(elem_id="studio"):
            with gr.Column(elem_id="experiment", scale=0, min_width=264):
                side = sidebar.build()
            with gr.Column():
                lessons = Lessons()
                with gr.Tabs(elem_id="rooms", overflow_behavior="wrap"):
                    tabs: dict[str, gr.Tab] = {}
                    rooms: dict[str, Room] = {}
                    for name, build_room in TABS:
                        with gr.Tab(name, id=name) as tabs[name]:
                            rooms[name] = build_room(visitor)
                        # The style sheet asks which room is open.
                        tabs[name].select(None, js=f"() => {{ document.body.dataset.room = '{name}'; }}")
        painting = wire_painting(visitor, tabs, rooms)
        wire_experiment(page, visitor, side, list(rooms.values()), lessons, painting)
        wire_dragging(side.controls)
        wire_sampling(rooms["Sample"].controls)
        code_dialog.build(visitor)
    return page
