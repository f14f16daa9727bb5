"""Make the pictures of README and what the Images room opens with: ``python -m scripts.pictures [--images]``.

Starts the studio, drives it in Chromium (a development dependency), and writes assets/pictures/.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from PIL import Image
from playwright.sync_api import sync_playwright

from fmstudio.image.models import repository_models
from fmstudio.image.questions.compare import Comparison, compare
from fmstudio.image.questions.film import Film, film
from fmstudio.image.questions.inversion import Interpolation, Inversion, interpolate, invert
from fmstudio.image.questions.projection import FlowMap, flow_map
from fmstudio.image.questions.xy import DEFAULT_VALUES, XYGrid, read_axis, xy_grid
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_unit
from fmstudio.plots.scene.file import encode
from fmstudio.plots.scene.image import map_scene
from fmstudio.ui.film_strip import film_json
from fmstudio.ui.launch import options
from fmstudio.ui.page import build
from fmstudio.ui.rooms.images import between as images_between
from fmstudio.ui.rooms.images import film as images_film
from fmstudio.ui.rooms.images import flow_map as images_map
from fmstudio.ui.rooms.images import picture as images_picture
from fmstudio.ui.rooms.images import xy as images_xy
from fmstudio.ui.rooms.images.grid import OPENING, OPENING_FIGURES, SHOWN_MEASURED
from fmstudio.ui.rooms.images.grid_html import figures_of, grid_html
from fmstudio.ui.rooms.images.parts import SHOWN_COUNT
from fmstudio.ui.rooms.images.results import interpolation_html, inversion_html

PICTURES = OPENING.parent
FRAMES = 30
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Write the opening grid, the animation and the screenshot."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    draw_images()
    if "--images" in sys.argv:
        return
    page = build()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **options())
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        photograph(chromium, url)
        chromium.close()
    page.close()


def draw_images() -> None:
    """What the Images room shows before any click, with the shipped models."""
    settings = ImageSettings(count=SHOWN_COUNT)
    done = Comparison(settings, ("fashion-rf1", "fashion-rf2"))
    for event in compare(settings, done.models, figures=SHOWN_MEASURED):
        done.take(event)
    OPENING.write_text(grid_html(done, timed=False), "utf-8")
    error, quality = figures_of(done)
    OPENING_FIGURES.write_text(json.dumps({"error": error, "quality": quality}) + "\n", "utf-8")
    draw_film()
    draw_map()
    draw_others()


def draw_film() -> None:
    """The film of the first class."""
    settings = ImageSettings(steps=(images_film.SHOWN_STEPS,), label=7, count=1)
    made = [event for event in film(settings) if isinstance(event, Film)][-1]
    shown = {
        "film": film_json(made, frame=images_film.SHOWN_STEPS // 2),
        "halves": images_film.halves_html(made),
    }
    images_film.OPENING.write_text(json.dumps(shown) + "\n", "utf-8")


def draw_map() -> None:
    """The map of both models."""
    settings = ImageSettings(steps=(images_map.SHOWN_STEPS,))
    events = flow_map(settings, ("fashion-rf1", "fashion-rf2"), images_map.SHOWN_SAMPLES)
    (made,) = (event for event in events if isinstance(event, FlowMap))
    images_map.OPENING.write_bytes(encode(map_scene(made)))


def draw_others() -> None:
    """An interpolation, an inversion, and guidance over classes."""
    tab = images_between
    events = interpolate(ImageSettings(), tab.SHOWN_OTHER, 0, tab.SHOWN_POINTS, tab.SHOWN_STEPS)
    (between,) = (event for event in events if isinstance(event, Interpolation))
    tab.OPENING.write_text(interpolation_html(between), "utf-8")
    reference = repository_models().reference("fashion-metric")
    picture = to_unit(reference.pictures[15])
    (back,) = (e for e in invert(ImageSettings(), picture, 7, 32) if isinstance(e, Inversion))
    images_picture.OPENING.write_text(inversion_html(back), "utf-8")
    settings = ImageSettings(steps=(images_xy.SHOWN_STEPS,), label=0)
    sides = [read_axis(name, DEFAULT_VALUES[name], settings.model) for name in ("class", "guidance")]
    grid = [event for event in xy_grid(settings, *sides) if isinstance(event, XYGrid)][-1]
    images_xy.OPENING.write_text(images_xy.xy_html(grid), "utf-8")


def photograph(chromium: Any, url: str) -> None:
    """One screenshot of the Paths room, and the player's panes frame by frame as a GIF."""
    tab = chromium.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(url)
    tab.wait_for_function("document.querySelector('#paths-player .fm-player')?.__player?.loads > 0")
    tab.wait_for_timeout(2500)
    tab.locator("#paths-player [data-do=play]").click()
    tab.evaluate("scrollTo(0, 0)")
    panes = tab.locator("#paths-player canvas").first.bounding_box()
    scrub = tab.locator("#paths-player input[type=range]").first
    pictures = []
    for k in range(FRAMES + 1):
        scrub.evaluate(
            "(bar, share) => { bar.value = Number(bar.min) + share * (bar.max - bar.min);"
            " bar.dispatchEvent(new Event('input', {bubbles: true})); }",
            k / FRAMES,
        )
        tab.wait_for_timeout(120)
        shot = Image.open(io.BytesIO(tab.screenshot(clip=panes)))
        pictures.append(shot.convert("RGB").resize((shot.width * 4 // 5, shot.height * 4 // 5)).quantize(96))
        if k == FRAMES // 2:
            tab.screenshot(path=PICTURES / "paths-room.png")
    still = [1400 if k == FRAMES else 90 for k in range(FRAMES + 1)]
    file = Path(PICTURES / "paths.gif")
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=still, loop=0, optimize=True)
    print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
