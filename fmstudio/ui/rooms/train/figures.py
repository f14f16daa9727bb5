"""What the Train room shows of a net: four plots, the figures of a training, how straight the flow is."""

from __future__ import annotations

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.net_card import NetCard
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.learn.training.train import Progress
from fmstudio.plots.figures import (
    cloud_figure,
    empty_figure,
    excess_figure,
    heat_figure,
    histogram_figure,
    loss_figure,
    profile_figure,
)
from fmstudio.studio import sample, train
from fmstudio.studio.session import Visitor
from fmstudio.ui import words
from fmstudio.ui.live_plot import figure_json
from fmstudio.ui.report import facts
from fmstudio.ui.rooms.train.controls import Controls
from fmstudio.ui.wiring import Updates
from fmstudio.ui.words import number

_SENTENCES = words.sections("train-figures")
_HEIGHT = 326


def painted(room: Controls, state: Visitor, net: Checkpoint | None) -> Updates:
    """The four plots of one net, whatever a training makes of it meanwhile."""
    return {
        room.loss: loss(net),
        room.excess: excess(net),
        room.cloud: data_beside(state.experiment, net),
        room.error: error_map(state, net),
    }


def at_rest(room: Controls, state: Visitor) -> Updates:
    """All that the room shows of the visitor's net while nothing runs."""
    return painted(room, state, state.checkpoint) | {
        room.status: facts(summary(state)),
        room.straightness: straightness_html(state),
    }


def loss(net: Checkpoint | None) -> str:
    """The loss over its exact floor."""
    if net is None:
        return figure_json(empty_figure(_SENTENCES["no loss"]))
    points = net.curve.points
    return figure_json(loss_figure([p.step for p in points], [p.loss for p in points], net.curve.floor))


def excess(net: Checkpoint | None) -> str:
    """What is left to learn, and the energy distances."""
    if net is None:
        return figure_json(empty_figure(_SENTENCES["no excess"]))
    points = net.curve.points
    measured = [(p.step, p.energy_distance) for p in points if p.energy_distance is not None]
    return figure_json(excess_figure([p.step for p in points], [p.excess for p in points], measured))


def data_beside(experiment: Experiment, net: Checkpoint | None) -> str:
    """Samples of the net beside data."""
    draw = histogram_figure if experiment.dim == 1 else cloud_figure
    return figure_json(draw(train.clouds(experiment, net), sample.plane_span(experiment)))


def error_map(state: Visitor, net: Checkpoint | None) -> str:
    """The map of a net's error at the room's time, or why there is none."""
    t = state.rooms.error_time
    try:
        values, span, mean = sample.field_error(state.experiment, net, t)
    except ValueError as problem:
        return figure_json(empty_figure(words.lines(str(problem)), _HEIGHT))
    title = f"t = {t:.2f}: E|u<sub>θ</sub> − u|² = {mean:.4f} under q<sub>t</sub>"
    if values.ndim == 1:
        return figure_json(profile_figure({"error": (values, "error")}, span, title, "", _HEIGHT))
    return figure_json(heat_figure(values, span, title, "error", _HEIGHT))


def status(progress: Progress) -> list[tuple[str, str]]:
    """The figures of a report, as names and values."""
    rows = [
        ("step", f"{progress.step:,} of {progress.steps:,}"),
        ("loss", f"{progress.loss:.4f}"),
        *_floor_rows(progress.floor, progress.floor_error, progress.excess),
        ("steps per second", f"{progress.steps_per_second:,.0f}"),
        ("learning rate", f"{progress.learning_rate:.2e}"),
        ("time", f"{progress.seconds:.1f} s"),
    ]
    if progress.energy_distance is not None:
        rows.insert(-3, ("energy distance", number(progress.energy_distance)))
    return rows


def stray(visitor: Visitor) -> list[tuple[str, str]]:
    """What the visitor's net learned, where that is not what the sidebar shows; else empty."""
    checkpoint = visitor.checkpoint
    if checkpoint is None or NetCard.of(checkpoint).fits(visitor.experiment):
        return []
    learned = checkpoint.experiment
    return [("net", f"of another experiment ({learned.data}, {learned.path})")]


def net_words(visitor: Visitor) -> str:
    """Where the visitor's net comes from, and what it is."""
    assert visitor.checkpoint is not None
    card = NetCard.of(visitor.checkpoint)
    told = ["straightened"] * card.straightened + ["told the class"] * bool(card.classes)
    return ", ".join([visitor.net.origin, *told])


def summary(visitor: Visitor) -> list[tuple[str, str]]:
    """The figures of the visitor's net at rest; empty without one."""
    checkpoint = visitor.checkpoint
    if checkpoint is None:
        return []
    curve = checkpoint.curve
    rows = stray(visitor) or [("net", net_words(visitor))]
    rows += [("your own net", "back when the lesson is closed")] if visitor.lesson else []
    rows.append(("step", f"{checkpoint.step:,}"))
    if curve.points:
        last = curve.points[-1]
        rows += [("loss", f"{last.loss:.4f}"), *_floor_rows(curve.floor, curve.floor_error, last.excess)]
        measured = [p.energy_distance for p in curve.points if p.energy_distance is not None]
        rows += [("energy distance", number(measured[-1]))] if measured else []
    rows.append(("time", f"{curve.seconds:.1f} s"))
    return rows


def _floor_rows(floor: float | None, error: float | None, excess: float | None) -> list[tuple[str, str]]:
    if floor is None or error is None:
        return [("exact floor", "not known")]
    rows = [("exact floor", f"{floor:.4f} ± {error:.4f}" if floor else "0")]
    return rows if excess is None else [*rows, ("excess", f"{excess:.4f}")]


def straightness_html(visitor: Visitor, report: Progress | None = None) -> str:
    """Straightness before and after each straightening, as a table.

    Args:
        visitor: whose net.
        report: of a straightening that is under way, which has a row of its own.
    """
    told = [f"S = {value:.4f}" for value in visitor.net.straightness]
    if told and report is not None and not report.done:
        told.append(f"step {report.step:,} of {report.steps:,}")
    if not told:
        return ""
    rows = "".join(f"<tr><td>{k + 1}-rectified flow</td><td>{text}</td></tr>" for k, text in enumerate(told))
    return f'<table class="fm-facts">{rows}</table>'
