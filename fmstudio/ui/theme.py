"""The page's look: one calm theme over system fonts, and the style sheets put together."""

from __future__ import annotations

import gradio as gr

from fmstudio.folders import ASSETS
from fmstudio.plots.palette import css_variables
from fmstudio.plots.script import FOLDER, linked
from fmstudio.plots.thumbnails import thumbnail_css

_FONTS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> gr.themes.Base:
    """A quiet theme on system fonts: nothing is fetched, light and dark share one set of variables."""
    look = gr.themes.Base(
        primary_hue="neutral",
        neutral_hue="stone",
        font=_FONTS,
        font_mono=_MONO,
        radius_size="md",
        text_size="md",
    )
    variables = {
        "body_background_fill": "var(--fm-page)",
        "body_text_color": "var(--fm-ink)",
        "body_text_color_subdued": "var(--fm-ink-soft)",
        "background_fill_primary": "var(--fm-card)",
        "background_fill_secondary": "var(--fm-page)",
        "block_background_fill": "var(--fm-card)",
        "block_border_color": "var(--fm-border)",
        "block_label_text_color": "var(--fm-ink-soft)",
        "block_title_text_color": "var(--fm-ink-soft)",
        "block_info_text_color": "var(--fm-ink-soft)",
        "border_color_primary": "var(--fm-border)",
        "input_background_fill": "var(--fm-page)",
        "input_border_color": "var(--fm-border)",
        "slider_color": "var(--fm-ink-soft)",
        "checkbox_background_color_selected": "var(--fm-noise)",
        "table_even_background_fill": "var(--fm-card)",
        "table_odd_background_fill": "var(--fm-page)",
    }
    both = variables | {f"{name}_dark": value for name, value in variables.items()}
    return look.set(**both)


def css() -> str:
    """The palette, the page's style sheet, and the data thumbnails drawn as rules."""
    sheet = "".join((ASSETS / name).read_text("utf-8") for name in ("studio.css", "note.css", "hub.css"))
    return "\n".join([css_variables(), sheet, thumbnail_css("#data-choice")])


def script() -> str:
    """The page's own JavaScript: a function that is called once on load."""
    return f"() => {{\n{linked(FOLDER / 'page.js')}\n}}"
