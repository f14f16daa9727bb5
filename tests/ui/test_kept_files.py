"""What is written for visitors goes again; what the page itself shows stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fmstudio.ui import kept_files
from fmstudio.ui.page import build
from fmstudio.ui.player import Player
from fmstudio.ui.rooms.images.flow_map import OPENING


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
    monkeypatch.setattr(kept_files, "EVERY", 0.05)
    kept_files.start(tmp_path, page)
    time.sleep(0.5)
    assert scene.exists()
    monkeypatch.setattr(kept_files.sweep, "__defaults__", (-1.0,))
    until = time.monotonic() + 20
    while scene.exists() and time.monotonic() < until:
        time.sleep(0.05)
    monkeypatch.setattr(kept_files, "EVERY", 1e6)
    assert not scene.exists()
    assert all(file.exists() for file in opening)


def test_old_files_go_with_their_folders_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "a" / "old.png", tmp_path / "c" / "new.png"
    for file in (old, new):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
    kept_files.sweep(tmp_path, set(), age=60)
    assert old.exists()
    time.sleep(0.6)
    os.utime(new)  # As a scene is that is asked for again.
    kept_files.sweep(tmp_path, set(), age=0.5)
    assert not old.exists()
    assert new.exists()
    time.sleep(0.6)  # The folder is as old as its last change.
    kept_files.sweep(tmp_path, {new}, age=0.5)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["c", "new.png"]
