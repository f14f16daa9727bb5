"""What every room tells the page about itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from fmstudio.learn.experiment import Experiment
from fmstudio.studio.session import Visitor
from fmstudio.ui.wiring import Part, Updates


@dataclass(frozen=True)
class Room:
    """A room's part of the experiment, and how it repaints when the experiment changes.

    Args:
        controls: the room's own controls by the field of the experiment they edit.
        repaint: ``f(visitor)``: updates of ``outputs``; called after a change, once the room is on screen.
        outputs: what ``repaint`` fills.
        under_way: what the room's parts become while a picture that takes its time is made; they are among
            ``outputs``.
        view: ``f(visitor)``: what else its picture depends on beside the experiment and the net.
        of_net: ``f(visitor)``: whether its picture depends on the visitor's net.
        looks: controls of that view, which are no part of the experiment, each with ``f(visitor, value)``,
            which takes the choice and returns updates of its own.
        nets: events after which the visitor may have another net: the room on screen is then asked again.
        prompt: whether an edit brings the room's picture along. Every edit then carries the outputs, so only
            where they are few and the picture is quick; others follow once the controls are right.
        opener: a button that takes a file, and ``f(visitor, file)``, which reads it and returns the
            experiment that it carries.
    """

    controls: dict[str, Component] = field(default_factory=dict)
    repaint: Callable[[Visitor], Updates] | None = None
    outputs: Sequence[Part] = field(default_factory=list)
    under_way: Updates = field(default_factory=dict)
    view: Callable[[Visitor], Hashable] = lambda visitor: None
    of_net: Callable[[Visitor], bool] = lambda visitor: False
    looks: list[tuple[Any, Callable[[Visitor, Any], Updates]]] = field(default_factory=list)
    nets: list[Any] = field(default_factory=list)
    prompt: bool = False
    opener: tuple[gr.UploadButton, Callable[[Visitor, str], Experiment]] | None = None
