"""The page's actions, at both ends of their controls, without the page."""

from __future__ import annotations

import html
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fmstudio.learn.build import path_of
from fmstudio.learn.experiment import DATA, PATHS, SOLVERS, Experiment, domain
from fmstudio.learn.nets.shipped import shipped
from fmstudio.learn.simulate import draw_pairs
from fmstudio.learn.training.checkpoints import Checkpoint
from fmstudio.plots.coefficients import coefficients_html
from fmstudio.plots.probe_panel import probe_html
from fmstudio.studio import paths, quality, sample, train
from fmstudio.studio.running import Stopped
from fmstudio.studio.session import Net, Rooms, Visitor
from fmstudio.ui import words

SMALL = Experiment(particles=60, frames=6, data_points=300)


def visitor(**changes: object) -> Visitor:
    return Visitor(SMALL.but(**changes))


@pytest.mark.parametrize("path", PATHS)
def test_paths_room_shows_q_beside_p_on_every_path(path: str) -> None:
    scene = paths.paths_room(visitor(path=path))
    assert len(scene.panes) == 2
    if scene.live is None:
        # Both panes start from the same cloud.
        assert scene.panes[0].positions[0] == pytest.approx(scene.panes[1].positions[0], abs=1e-4)
    assert [pane.shows for pane in scene.panes] == (["paths", "flow"] if scene.live else [None, None])


@pytest.mark.slow
def test_a_small_scene_is_kept_for_others_and_a_large_one_is_not() -> None:
    small, large = (visitor(particles=n, frames=200, path="bow") for n in (2_500, 2_501))
    assert paths.paths_room(small) is paths.paths_room(small)
    assert paths.paths_room(large) is not paths.paths_room(large)


@pytest.mark.parametrize(
    ("coupling", "caption"),
    [("independent", "q_t averages such clouds"), ("optimal transport", "as if paired at random")],
)
def test_paths_to_one_point_make_up_q_only_where_pairs_are_independent(coupling: str, caption: str) -> None:
    _, given = paths.paths_room(visitor(coupling=coupling), "one data point").panes
    assert (given.caption, given.shows) == (caption, "one")


def test_chains_to_one_point_end_in_it() -> None:
    _, given = paths.paths_room(visitor(path="zig-zag"), "one data point").panes
    assert np.ptp(given.positions[-1], axis=0).max() == 0
    assert np.ptp(given.positions[0], axis=0).min() > 1


@pytest.mark.parametrize("data", DATA)
def test_paths_room_opens_on_every_data_set(data: str) -> None:
    scene = paths.paths_room(visitor(data=data))
    assert scene.dim == (1 if data == "line mixture" else 2)


def test_classes_are_paired_in_the_paths_room_as_a_conditional_net_learns_them() -> None:
    state = visitor(data="moons", coupling="optimal transport", coupling_batch=60, conditional=True)
    pairs = draw_pairs(state.experiment, state.experiment.particles)
    live = paths.paths_room(state).live
    assert live is not None
    assert torch.equal(live.x0, pairs.x0)
    assert torch.equal(live.x1, pairs.x1)


def test_the_distance_comes_after_its_scene_and_only_while_it_is_the_visitors() -> None:
    state = visitor(path="bow", particles=400, frames=41)
    scene = paths.paths_room(state)
    assert scene.curves is None
    curves = paths.later_curves(state, scene.awaits)
    assert curves is not None
    assert len(curves.series[0].values) == len(scene.times)
    # Two samples of one law, both of the exact flow: within what chance makes of it.
    assert float(np.abs(curves.series[0].values).max()) < 0.05
    state.experiment = state.experiment.but(bend=1.0)
    assert paths.later_curves(state, scene.awaits) is None


@pytest.mark.parametrize("coupling", ["optimal transport", "sinkhorn"])
def test_a_coupling_without_closed_form_shows_no_exact_flow(coupling: str) -> None:
    state = visitor(coupling=coupling)
    assert len(paths.paths_room(state).panes) == 1
    with pytest.raises(ValueError, match="no closed form"):
        paths.probe(state, 0, 0, 0.5)


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("path", PATHS)
def test_probed_paths_pass_through_the_point_and_their_mean_is_u(path: str, t: float) -> None:
    found = paths.probe(visitor(path=path), 0.3, -0.4, t)
    assert found.paths.shape == (paths.PROBED_PATHS, len(found.times), 2)
    assert torch.isfinite(found.velocities).all()
    assert torch.isfinite(found.u).all()
    if found.var < 50:  # far inside; at the ends a few paths may be very fast
        error = (found.velocities.mean(0) - found.u).norm()
        assert float(error) < 5 * (found.var / paths.PROBED_PATHS) ** 0.5 + 1e-3
    assert "mean u" in probe_html(found)


@pytest.mark.parametrize(("x", "y", "t"), [(float("nan"), 0, 0.5), (0, 1e9, 0.5), (0, 0, 1.5), (0, 0, -0.1)])
def test_a_probe_from_nowhere_is_refused(x: float, y: float, t: float) -> None:
    with pytest.raises(ValueError, match="Expected a point"):
        paths.probe(visitor(), x, y, t)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_sample_room_at_both_ends_of_its_controls(solver: str, end: str) -> None:
    numbers = {name: domain(name)[end] for name in ("sample_steps", "sde_noise", "guidance")}
    state = visitor(solver=solver, **numbers)
    found = sample.sample_room(paths.followed(state, False))
    assert torch.isfinite(found.motion.positions).all()
    assert found.motion.nfe >= 1
    assert len(found.measured.values) == len(found.scene.times)


def test_without_a_net_the_page_says_so() -> None:
    for act in (
        lambda: sample.sample_room(paths.followed(visitor(), True)),
        lambda: sample.field_error(SMALL, None, 0.5),
    ):
        with pytest.raises(ValueError, match="no trained net"):
            act()


def test_guidance_by_the_oracle_samples_the_class() -> None:
    state = visitor(conditional=True, label=0, guidance=1.0, solver="heun", sample_steps=40)
    end = sample.sample_room(paths.followed(state, False)).motion.positions[-1]
    angle = torch.atan2(end[:, 1], end[:, 0])
    assert float(angle.std()) < 0.3


@pytest.mark.slow
def test_error_curves_fall_with_work_for_every_solver() -> None:
    curves = list(sample.error_curves(paths.followed(visitor(), False), count=60))
    assert [curve.solver for curve in curves] == list(SOLVERS)
    for curve in curves:
        assert curve.error[-1] < curve.error[0]
        assert curve.nfe == sorted(curve.nfe)


def test_likelihood_map_agrees_with_the_exact_density() -> None:
    found = sample.likelihood_map(paths.followed(visitor(), False), size=24)
    assert found.exact is not None
    known = found.exact > -6
    assert float((found.flow - found.exact)[known].abs().mean()) < 0.1


def shipped_net(experiment: Experiment) -> Checkpoint:
    net = shipped(experiment)
    assert net is not None
    return net


@pytest.mark.parametrize("use_net", [False, True], ids=["exact", "net"])
def test_the_likelihood_of_a_class_is_compared_with_the_density_of_that_class(use_net: bool) -> None:
    told = Experiment(conditional=True, label=2)
    state = Visitor(told, Net(shipped_net(told)))
    found = sample.likelihood_map(paths.followed(state, use_net), size=24)
    assert found.gap is not None
    assert found.gap < (1.0 if use_net else 0.01)
    # A guided flow does not end there, and is called guided.
    state.experiment = told.but(guidance=3.0)
    guided = sample.likelihood_map(paths.followed(state, use_net), size=24)
    assert guided.gap is not None
    assert guided.gap > 10
    assert guided.chosen.guidance == 3


def test_a_class_that_the_net_does_not_know_is_left_out_of_the_sample_room() -> None:
    state = Visitor(SMALL.but(conditional=True, label=2, particles=300), Net(shipped_net(Experiment())))
    found = sample.sample_room(paths.followed(state, True))
    assert found.scene.live is not None
    ends = (found.scene.live.x0, found.motion.positions[-1])
    angles = [torch.atan2(*points.flip(1).unbind(1)) for points in ends]
    # All eight bumps, in Q as in P, and no word of a class.
    assert all(float(angle.std()) > 1 for angle in angles)
    assert all("bump" not in pane.title + pane.caption for pane in found.scene.panes)
    assert found.chosen.left_out
    assert quality.quality_of(found.chosen.experiment, found.motion.positions[-1]).energy < 0.1


def test_a_scene_says_which_class_and_how_much_guidance() -> None:
    state = Visitor(SMALL.but(conditional=True, label=2, guidance=4.0))
    original, sampled = sample.sample_room(paths.followed(state, False)).scene.panes
    assert original.title == "Q of bump 2"
    assert sampled.title == "P of bump 2"
    assert "guidance 4, exact u" in sampled.caption


def test_the_class_of_the_sampler_stays_in_the_sample_room() -> None:
    """Paths, the probe and the error of the field are of all data."""
    told = Experiment(particles=200, frames=4, coupling="optimal transport", conditional=True, label=2)
    net = shipped_net(Experiment(conditional=True))
    of_pairs = replace(net, experiment=net.experiment.but(coupling="optimal transport"))
    paired = Visitor(told.but(guidance=4.0), Net(of_pairs))
    flow = paths.paths_room(paired).panes[1].positions[-1]
    assert np.std(np.arctan2(flow[:, 1], flow[:, 0])) > 1
    state = Visitor(Experiment(conditional=True, label=2, guidance=4.0), Net(net))
    of_all = Visitor(Experiment(conditional=True), Net(net))
    assert (
        sample.field_error(state.experiment, net, 0.5)[2]
        == sample.field_error(of_all.experiment, net, 0.5)[2]
        < 0.2
    )
    answers = [paths.probe(visitor, 0.2, 0.1, 0.5).net for visitor in (state, of_all)]
    assert answers[0] is not None
    assert answers[1] is not None
    assert torch.equal(answers[0], answers[1])
    clouds = [train.clouds(visitor.experiment, net)["samples of the net"][0] for visitor in (state, of_all)]
    assert torch.equal(*clouds)


def test_a_straightened_net_is_called_so_and_its_answer_is_not_set_beside_u() -> None:
    net = replace(shipped_net(Experiment()), of_pairs=True)
    assert paths.probe(Visitor(Experiment(), Net(net)), 0, 0, 0.5).net is None
    panes = sample.sample_room(paths.followed(Visitor(SMALL, Net(net)), True)).scene.panes
    assert "straightened net" in panes[1].caption


@pytest.mark.parametrize("view", paths.VIEWS)
@pytest.mark.parametrize("net", [None, "optimal transport"])
@pytest.mark.parametrize("coupling", ["independent", "optimal transport"])
def test_the_words_of_the_paths_room_speak_of_a_flow_where_there_is_one(
    view: str, net: str | None, coupling: str
) -> None:
    experiment = SMALL.but(coupling=coupling, data="points" if net is None else SMALL.data)
    checkpoint = None if net is None else shipped_net(Experiment(coupling=net))
    state = Visitor(experiment, Net(checkpoint), rooms=Rooms(view=view))
    titles = [pane.title for pane in paths.paths_room(state, view).panes]
    told = words.sections("paths")[paths.paths_seen(state)]
    assert ("no flow P yet" in told) == ("The flow P" not in titles and view != paths.VIEWS[1])
    assert ("right**, the flow P" in told or "**The flow P:**" in told) == ("The flow P" in titles)
    # A click is answered only where u has a formula.
    assert coupling == "independent" or "pause near *t* = 0.3 and click" not in told


@pytest.mark.parametrize("path", PATHS)
def test_every_path_has_a_formula_and_a_drawing(path: str) -> None:
    experiment = SMALL.but(path=path)
    drawing = coefficients_html(path_of(experiment), words.path_formula(experiment))
    assert drawing.count("<polyline") == 2
    written = path_of(experiment).written
    assert written is not None
    assert html.escape(json.dumps(written.a)) in drawing


@pytest.mark.parametrize("bad", [None, "x", [[1, 2]], [["a"] * 6], [[0.1] * 6] * 17])
def test_components_from_the_browser_are_checked(bad: object) -> None:
    with pytest.raises(ValueError, match="mixture"):
        words.mixture_json(bad)


@pytest.mark.parametrize(
    "bad", [{}, {"strokes": [[]]}, {"strokes": "abc"}, {"strokes": [[[0.0, 0.0]] * 5_000]}]
)
def test_strokes_from_the_browser_are_checked(bad: object) -> None:
    with pytest.raises(ValueError, match="drawing"):
        words.strokes(bad)


@pytest.mark.parametrize("use_net", [False, True])
def test_a_noisy_sampling_ends_at_the_step_after_it_was_stopped(use_net: bool) -> None:
    state = Visitor(Experiment(sde_noise=1, sample_steps=50, particles=20, frames=5))
    train.adopt_shipped(state)
    heard: list[tuple[int, int]] = []

    def go_on(done: int, calls: int) -> None:
        action.go_on()
        heard.append((done, calls))
        if done == 3:
            state.running.halt(sample.SAMPLING)

    with state.running.instead(sample.SAMPLING) as action, pytest.raises(Stopped):
        sample.sample_room(paths.followed(state, use_net), go_on)
    assert heard == [(k, 50) for k in range(4)]
