"""What is written for visitors goes again; what the page itself shows stays."""

from __future__ import annotations

from pathlib import Path

from gradio.route_utils import delete_files_created_by_app

from fmstudio.ui.page import KEPT, build
from fmstudio.ui.player import Player
from fmstudio.ui.tabs.images_map import OPENING


def test_a_visitors_scene_is_deleted_and_the_opening_one_is_not(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    page = build()
    assert page.delete_cache == KEPT
    players = [part for part in page.blocks.values() if isinstance(part, Player)]
    opening = [Path(part.value["scene"]["path"]) for part in players if part.value]
    assert opening
    value = players[0].postprocess(OPENING.read_bytes() + b" ")
    assert value is not None
    assert value.scene is not None
    scene = Path(str(players[0].move_resource_to_block_cache(value.scene.path)))
    delete_files_created_by_app(page, KEPT[1])
    assert scene.exists()
    delete_files_created_by_app(page, -1)
    assert not scene.exists()
    assert all(file.exists() for file in opening)
