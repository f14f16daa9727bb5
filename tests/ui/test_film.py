"""The film of one sweep: drawn frame by frame where the browser lends its encoder, recorded elsewhere."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from fmstudio.plots.scene.offline import offline_page
from fmstudio.plots.scene.scene import Pane, Scene
from fmstudio.plots.script import FOLDER

pytestmark = pytest.mark.browser

PLAYER = "document.querySelector('.fm-player').__player"
WITHOUT_ENCODER = "delete window.VideoEncoder;"
ONLY_VP9 = """
const asked = VideoEncoder.isConfigSupported.bind(VideoEncoder);
const refused = { supported: false };
VideoEncoder.isConfigSupported = (config) => config.codec.startsWith("vp09") ? asked(config) : refused;
"""
BROKEN = """
window.VideoEncoder = class extends VideoEncoder {
  constructor(calls) { super(calls); setTimeout(() => calls.error(new Error("gone")), 50); }
};
"""
SILENT = """
MediaRecorder.prototype.start = function () { this.dispatchEvent(new Event("start")); };
MediaRecorder.prototype.stop = function () { this.dispatchEvent(new Event("stop")); };
Object.defineProperty(MediaRecorder.prototype, "state", { get: () => "recording" });
"""


def small_page(browser: Any, folder: Path, script: str = "") -> Any:
    """An offline page of 300 particles that gather, after a script of the test."""
    times = np.linspace(1, 0, 21)
    x1 = np.random.default_rng(0).normal(size=(300, 2))
    positions = (0.1 + 0.9 * times)[:, None, None] * x1
    scene = Scene(times, (Pane("Q", "", positions),), 1 - times, times, (-3, 3, -3, 3))
    (folder / "scene.html").write_text(offline_page(scene), "utf-8")
    page = browser.new_page(viewport={"width": 700, "height": 700})
    page.add_init_script(script)
    page.goto((folder / "scene.html").as_uri())
    page.wait_for_function(f"{PLAYER}?.loads === 1")
    page.get_by_label("Speed").select_option("4")
    return page


def export(page: Any, name: str) -> None:
    page.get_by_role("button", name="Export").click()
    page.get_by_role("menuitem", name=name).click()


def exported(page: Any, name: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        export(page, name)
    return download.value.suggested_filename, download.value.path().read_bytes()


def picture(page: Any, t: float, size: tuple[int, int]) -> np.ndarray:
    """What the player shows at time t, as numbers of a film's size."""
    page.evaluate(f"{PLAYER}.player.setPlaying(false), {PLAYER}.player.seek({t})")
    with Image.open(BytesIO(exported(page, "Picture")[1])) as shown:
        return np.asarray(shown.convert("RGB").resize(size), float)


def read_film(file: Path) -> tuple[dict[str, Any], np.ndarray]:
    """What a film says of itself, and every frame that can be decoded."""
    reader = imageio_ffmpeg.read_frames(str(file))
    about = next(reader)
    width, height = about["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    return about, np.stack(frames).astype(float)


@pytest.mark.parametrize("script", ["", ONLY_VP9], ids=["first", "vp9"])
def test_every_frame_of_a_drawn_film_is_there(browser: Any, tmp_path: Path, script: str) -> None:
    page = small_page(browser, tmp_path, script)
    name, data = exported(page, "Film")
    (tmp_path / name).write_bytes(data)
    about, frames = read_film(tmp_path / name)
    assert name == "flow-matching.mp4"
    assert about["fps"] == 30
    # A second of sweep at fourfold speed, both ends, and a second of hold.
    assert len(frames) == 61
    assert about["duration"] == pytest.approx(61 / 30, abs=0.01)
    first, last = (picture(page, t, about["size"]) for t in (1, 0))
    assert np.abs(frames[0] - first).mean() < 2
    assert np.abs(frames[-1] - last).mean() < 2
    assert np.abs(frames[0] - last).mean() > 3
    # Before the hold, none is shown twice.
    assert np.abs(np.diff(frames[:31], axis=0)).mean(axis=(1, 2, 3)).min() > 0.05
    page.close()


def test_where_no_encoder_is_lent_the_canvas_is_recorded(browser: Any, tmp_path: Path) -> None:
    page = small_page(browser, tmp_path, WITHOUT_ENCODER)
    name, data = exported(page, "Film")
    (tmp_path / name).write_bytes(data)
    about, frames = read_film(tmp_path / name)
    assert len(frames) > 5
    last = picture(page, 0, about["size"])
    assert np.abs(frames[-1] - last).mean() < 3
    assert np.abs(frames[0] - last).mean() > 3
    page.close()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (WITHOUT_ENCODER + "delete window.MediaRecorder;", "This browser cannot make films; take the GIF."),
        (WITHOUT_ENCODER + SILENT, "This browser recorded nothing; take the GIF."),
        (BROKEN, "This browser's encoder failed (gone); take the GIF."),
    ],
    ids=["no recorder", "empty recording", "broken encoder"],
)
def test_a_film_that_cannot_be_had_is_answered_in_words(
    browser: Any, tmp_path: Path, script: str, said: str
) -> None:
    page = small_page(browser, tmp_path, script)
    export(page, "Film")
    page.get_by_text(said).wait_for()
    assert page.evaluate(f"{PLAYER}.playing")
    page.close()


def test_a_decoder_is_told_what_the_first_frame_carries(browser: Any) -> None:
    """Firefox writes a byte twice where it describes H.264, but not in the frames."""
    page = browser.new_page()
    page.add_script_tag(content=(FOLDER / "player" / "mp4.js").read_text("utf-8").replace("export ", ""))
    head = page.evaluate(
        """() => {
        const unit = (...bytes) => [0, 0, 0, bytes.length, ...bytes];
        const carried = [...unit(0x67, 77, 0, 51, 9), ...unit(0x68, 8), ...unit(0x65, 1, 2)];
        const bare = unit(0x65, 1, 2), said = new Uint8Array([1, 2, 3]);
        return [carried, bare].map((bytes) => [...avcHead(said, { bytes: new Uint8Array(bytes) })]); }"""
    )
    assert head == [[1, 77, 0, 51, 255, 0xE1, 0, 5, 0x67, 77, 0, 51, 9, 1, 0, 2, 0x68, 8], [1, 2, 3]]
    page.close()
