"""A visitor's training: start, stop, resume, straighten, save and open, without the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.learn.training.run import Diverged
from fmstudio.learn.training.train import Progress
from fmstudio.studio import paths, sample, train
from fmstudio.studio.running import Halted
from fmstudio.studio.session import Visitor
from fmstudio.ui.rooms.train import figures
from fmstudio.ui.rooms.train import room as train_room

TINY = Experiment(train_steps=300, width=32, depth=2, fourier=8, batch=64, particles=60, frames=5)


def visitor(**changes: object) -> Visitor:
    return Visitor(TINY.but(**changes))


@pytest.mark.slow
def test_a_training_ends_with_a_net_that_every_room_can_use() -> None:
    state = visitor()
    reports = list(train.start(state))
    assert reports[-1].done
    assert dict(figures.status(reports[-1]))["step"] == "300 of 300"
    assert dict(figures.summary(state))["net"] == "trained here"
    assert set(train.clouds(state.experiment, state.checkpoint)) == {"data", "samples of the net"}
    error, _, mean = sample.field_error(state.experiment, state.checkpoint, 0.5)
    assert error.shape[0] == error.shape[1]
    assert mean > 0
    assert sample.sample_room(paths.followed(state, True)).motion.nfe > 0
    assert paths.probe(state, 0.2, 0.1, 0.5).net is not None


def test_a_stopped_training_leaves_a_usable_net_and_resumes_where_it_was() -> None:
    state = visitor(train_steps=20_000)
    work = train.start(state)
    next(work)
    work.close()
    assert state.checkpoint is not None
    stopped = state.checkpoint.step
    assert 0 < stopped < 20_000
    assert paths.net_field(state) is not None
    again = train.resume(state)
    assert next(again).step > stopped
    again.close()


@pytest.mark.slow
def test_straightening_makes_the_flow_straighter() -> None:
    state = visitor(train_steps=1_500)
    list(train.start(state))
    list(train.straighten(state))
    before, after = state.net.straightness
    assert after < before / 2
    assert "2-rectified flow" in figures.straightness_html(state)
    # Its own paths are not the experiment's: their mean velocity is not the oracle's.
    with pytest.raises(ValueError, match="straightened net follows paths of its own"):
        sample.field_error(state.experiment, state.checkpoint, 0.5)
    state.experiment = state.experiment.but(sde_noise=0.5)
    with pytest.raises(ValueError, match="no longer independent"):
        sample.sample_room(paths.followed(state, True))


@pytest.mark.slow
def test_a_straightening_tells_how_far_it_is_where_its_button_is() -> None:
    state = visitor()
    list(train.start(state))
    state.experiment = state.experiment.but(train_steps=20_000)
    reports = train.straighten(state)
    report = next(reports)
    said = figures.straightness_html(state, report)
    reports.close()
    assert f"<td>2-rectified flow</td><td>step {report.step:,} of 20,000</td>" in said
    assert "2-rectified" not in figures.straightness_html(state)


def test_a_straightening_without_a_closed_form_is_refused_before_it_pairs() -> None:
    state = visitor(train_steps=20, regression="closed-form mean")
    list(train.start(state))
    with pytest.raises(ValueError, match="choose 'sampled'"):
        next(train.straighten(state))
    assert state.net.pairs is None
    assert state.net.straightness == ()


def test_the_error_of_a_net_without_an_exact_field_says_why() -> None:
    state = visitor(train_steps=20, coupling="optimal transport", coupling_batch=32)
    list(train.start(state))
    with pytest.raises(ValueError, match="nothing exact to compare the net with"):
        sample.field_error(state.experiment, state.checkpoint, 0.5)


def test_save_and_open_carry_the_net(tmp_path: Path) -> None:
    state = visitor(train_steps=20)
    list(train.start(state))
    other = visitor()
    file = Path(train.save(state, tmp_path / "cache"))
    assert file.is_relative_to(tmp_path / "cache")
    train.open_file(other, str(file))
    assert other.checkpoint is not None
    assert other.checkpoint.experiment == state.experiment
    assert dict(figures.summary(other))["net"] == "from a file"
    broken = tmp_path / "x.safetensors"
    broken.write_bytes(b"not a net")
    with pytest.raises(ValueError, match="safetensors"):
        train.open_file(other, str(broken))


@pytest.mark.slow
def test_a_straightening_that_is_stopped_while_it_pairs_keeps_the_net(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = visitor(train_steps=50)
    list(train.start(state))
    before, pairing = state.checkpoint, train.reflow_pairs

    def stopped_meanwhile(*given: Any) -> Any:
        state.running.halt(train.TRAINING)
        return pairing(*given)

    monkeypatch.setattr(train, "reflow_pairs", stopped_meanwhile)
    work = state.running.run(train.TRAINING, lambda: train.straighten(state))
    assert list(work)[1:] == [Halted()]
    assert state.checkpoint is before
    assert state.net.pairs is None


@pytest.mark.slow
def test_a_straightening_that_is_resumed_is_measured_at_its_end() -> None:
    state = visitor(train_steps=4_000)
    next(train.start(state))
    next(train.straighten(state))
    assert len(state.net.straightness) == 1
    list(train.resume(state))
    assert len(state.net.straightness) == 2


def test_a_net_of_another_experiment_is_called_so() -> None:
    state = visitor(train_steps=20)
    list(train.start(state))
    assert figures.stray(state) == []
    state.experiment = state.experiment.but(path="spherical")
    assert "8 gaussians, linear" in dict(figures.stray(state))["net"]


def test_without_a_net_there_is_nothing_to_resume_straighten_or_save(tmp_path: Path) -> None:
    for act in (train.resume, train.straighten):
        with pytest.raises(ValueError, match="start a training first"):
            next(act(visitor()))
    with pytest.raises(ValueError, match="start a training first"):
        train.save(visitor(), tmp_path)


def test_a_training_that_diverges_says_what_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverging(*_: object, **__: object) -> Iterator[Progress]:
        raise Diverged("The loss is not finite. Lower the learning rate.")
        yield

    monkeypatch.setattr(train, "train", diverging)
    with pytest.raises(ValueError, match="Lower the learning rate"):
        list(train.start(visitor()))


def test_a_shipped_net_is_adopted_but_never_replaces_one_s_own() -> None:
    state = Visitor(Experiment())
    train.adopt_shipped(state)
    assert dict(figures.summary(state))["net"] == "shipped"
    assert state.checkpoint is not None
    mine = visitor(train_steps=20)
    list(train.start(mine))
    own = mine.checkpoint
    train.adopt_shipped(mine)
    assert mine.checkpoint is own


@pytest.mark.slow
def test_the_plots_of_a_training_stand_at_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """All four are drawn of the same net while it learns, the error of the field too."""
    monkeypatch.setattr(train_room, "DRAWN_EVERY", 0.0)
    seen: list[tuple[str, int | None]] = []

    def noting(name: str, figure: Any) -> Any:
        def drawn(experiment: Experiment, net: Checkpoint | None, *given: Any) -> Any:
            seen.append((name, net.step if net else None))
            return figure(experiment, net, *given)

        return drawn

    monkeypatch.setattr(train, "clouds", noting("cloud", train.clouds))
    monkeypatch.setattr(sample, "field_error", noting("error", sample.field_error))
    with gr.Blocks() as page:
        room = train_room.build(gr.State(Visitor()))
    start = next(fn.fn for fn in page.fns.values() if fn.name == "begin")
    assert start is not None
    state = visitor(train_steps=1_500)
    drawn = 0
    for updates in start(state):
        loss, excess, cloud, error, told = (updates.get(part) for part in room.outputs[:5])
        if not isinstance(error, str):
            assert not any(isinstance(part, str) for part in (loss, excess, cloud))
            continue
        assert state.checkpoint is not None
        step = state.checkpoint.step
        assert [at for _, at in seen] == [step, step]
        assert [name for name, _ in seen] == ["cloud", "error"]
        assert f"<td>{step:,} of 1,500</td>" in told
        assert json.loads(loss)["data"][0]["x"][-1] == step
        assert "t = 0.50" in error
        seen.clear()
        drawn += 1
    assert drawn >= 2
    assert len(room.nets) == 3
