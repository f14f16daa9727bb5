"""A picture that was given up is asked for again by whoever still wants it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.shipped import shipped
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.studio.session import TRAINED, Net, Rooms, Visitor
from fmstudio.ui.painting import Painting
from fmstudio.ui.room import Room
from fmstudio.ui.wiring import Updates


class Slow:
    """A room whose pictures are done when they are told to be."""

    def __init__(self, view: Callable[[Visitor], Any] = lambda visitor: None) -> None:
        self.begun: list[str] = []
        self.starts, self.done = threading.Semaphore(0), threading.Semaphore(0)
        with gr.Blocks():
            self.part, call = gr.HTML(), gr.Number()
        room = Room(repaint=self.repaint, outputs=[self.part], view=view, of_net=lambda _: True)
        self.painting = Painting({"Sample": room}, {"Sample": call})
        self.call = call

    def repaint(self, state: Visitor) -> Updates:
        net = state.checkpoint
        shown = f"{state.experiment.path}, {state.rooms.view}, {net.step if net else None}"
        self.begun.append(shown)
        self.starts.release()
        assert self.done.acquire(timeout=20)
        return {self.part: shown}


def trained() -> Checkpoint:
    net = shipped(Experiment())
    assert net is not None
    return replace(net, step=1)


def visitor() -> Visitor:
    return Visitor(net=Net(trained(), TRAINED), rooms=Rooms(on_screen="Sample"))


def test_the_picture_of_a_net_that_learns_on_is_shown_and_the_last_is_asked_for() -> None:
    room, state = Slow(), visitor()
    with ThreadPoolExecutor(1) as pool:
        picture = pool.submit(room.painting.paint, state, "Sample")
        assert room.starts.acquire(timeout=20)
        # A training reports while the picture is made.
        for step in (2, 3):
            assert state.checkpoint is not None
            state.net = replace(state.net, checkpoint=replace(state.checkpoint, step=step))
        room.done.release()
        assert picture.result(20) == {room.part: "linear, Q and P, 1"}
    # It ends; the room is behind, and is called for until it shows the net.
    assert room.painting.to_come(state) == {room.call: 1}
    room.done.release()
    assert room.painting.paint(state, "Sample") == {room.part: "linear, Q and P, 3"}
    assert room.painting.to_come(state) == {}
    assert len(room.begun) == 2


def another_experiment(state: Visitor) -> None:
    state.experiment = state.experiment.but(path="bow")


def another_view(state: Visitor) -> None:
    state.rooms.view = "all three"


def another_net(state: Visitor) -> None:
    assert state.checkpoint is not None
    state.net = replace(state.net, checkpoint=replace(state.checkpoint, of_pairs=True))


@pytest.mark.parametrize("change", [another_experiment, another_view, another_net])
def test_a_picture_of_what_is_no_longer_wanted_is_not_shown_but_asked_for_again(
    change: Callable[[Visitor], None],
) -> None:
    room, state = Slow(lambda visitor: visitor.rooms.view), visitor()
    with ThreadPoolExecutor(1) as pool:
        picture = pool.submit(room.painting.paint, state, "Sample")
        assert room.starts.acquire(timeout=20)
        change(state)
        room.done.release()
        assert room.starts.acquire(timeout=20)
        room.done.release()
        assert picture.result(20) == {room.part: f"{state.experiment.path}, {state.rooms.view}, 1"}
    assert len(room.begun) == 2


def test_no_later_net_is_taken_for_an_earlier_one() -> None:
    net = Net(trained())
    earlier = net.mark()
    assert earlier == net.mark()
    net = Net(trained())
    assert earlier != net.mark()
    del net
    # What is gone has left its place in memory to others.
    assert all(earlier != Net(trained()).mark() for _ in range(5))


def test_whoever_ends_a_training_asks_for_the_room_on_screen(built: gr.Blocks) -> None:
    events = built.config.get("dependencies", [])
    calls = {target[0] for event in events for target in event["targets"] if target[1] == "change"}
    ends = [e for e in events if e["trigger_after"] is not None and set(e["outputs"]) & calls]
    begun = {event["id"]: event for event in events}
    # Start, Resume and Straighten, wherever the visitor is when they end.
    buttons = [begun[e["trigger_after"]] for e in ends]
    assert sum(b["targets"] != [] and b["targets"][0][1] == "click" for b in buttons) >= 3
