"""What is written for visitors goes again; what the page itself shows stays."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import ClassVar

import gradio as gr
import pytest

from fmstudio.ui import kept_files
from fmstudio.ui.page import build
from fmstudio.ui.player import Player
from fmstudio.ui.rooms.images.flow_map import OPENING


@pytest.mark.slow
def test_a_visitors_scene_is_deleted_and_the_opening_one_is_not(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    page = build()
    players = [part for part in page.blocks.values() if isinstance(part, Player)]
    opening = [Path(part.value["scene"]["path"]) for part in players if part.value]
    assert opening
    value = players[0].postprocess(OPENING.read_bytes() + b" ")
    assert value is not None
    assert value.scene is not None
    scene = Path(value.scene.path)
    staying, now = kept_files.opening_files(page), time.time()
    kept_files.sweep(tmp_path, staying, now=now + kept_files.KEPT - 60)
    assert scene.exists()
    kept_files.sweep(tmp_path, staying, now=now + kept_files.KEPT + 60)
    assert not scene.exists()
    assert all(file.exists() for file in opening)


def test_the_folder_is_swept_now_and_then(monkeypatch, tmp_path: Path) -> None:
    class Twice(threading.Event):
        """Two waits are over at once, the third finds the flag set."""

        waited: ClassVar[list[float | None]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.waited.append(timeout)
            return len(self.waited) > 2

    swept: list[Path] = []
    monkeypatch.setattr(kept_files, "sweep", lambda folder, staying: swept.append(folder))
    with gr.Blocks() as page:
        pass
    kept_files.start(tmp_path, page, Twice()).join(20)
    assert Twice.waited == [kept_files.EVERY] * 3
    assert swept == [tmp_path] * 2


def test_old_files_go_with_their_folders_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "a" / "old.png", tmp_path / "c" / "new.png"
    for file in (old, new):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
    now = time.time()
    kept_files.sweep(tmp_path, set(), age=60, now=now)
    assert old.exists()
    os.utime(new, (now + 100, now + 100))  # As a scene is that is asked for again.
    kept_files.sweep(tmp_path, set(), age=60, now=now + 90)
    assert not old.exists()
    assert new.exists()
    kept_files.sweep(
        tmp_path, {new}, age=60, now=time.time() + 90
    )  # The folder is as old as its last change.
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["c", "new.png"]
