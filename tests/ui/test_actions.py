"""The page's actions, at both ends of their controls, without the page."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.learn.experiment import DATA, PATHS, SOLVERS, Experiment, domain
from fmstudio.learn.simulate import draw_pairs
from fmstudio.plots.coefficients import coefficients_svg
from fmstudio.plots.probe_panel import probe_html
from fmstudio.ui import actions, sampling, training, words
from fmstudio.ui.stoppable import Stopped, begin
from fmstudio.ui.visitor import Visitor

SMALL = Experiment(particles=60, frames=6, data_points=300)


def visitor(**changes: object) -> Visitor:
    return Visitor(SMALL.but(**changes))


@pytest.mark.parametrize("path", PATHS)
def test_paths_room_shows_q_beside_p_on_every_path(path: str) -> None:
    scene = actions.paths_room(visitor(path=path))
    assert len(scene.panes) == 2
    # Both panes start from the same cloud.
    assert scene.panes[0].positions[0] == pytest.approx(scene.panes[1].positions[0], abs=1e-4)


def test_a_small_scene_is_kept_for_others_and_a_large_one_is_not() -> None:
    small, large = (visitor(particles=n, frames=200, path="bow") for n in (2_500, 2_501))
    assert actions.paths_room(small) is actions.paths_room(small)
    assert actions.paths_room(large) is not actions.paths_room(large)


@pytest.mark.parametrize(
    ("coupling", "caption"),
    [("independent", "q_t averages such clouds"), ("optimal transport", "as if paired at random")],
)
def test_paths_to_one_point_make_up_q_only_where_pairs_are_independent(coupling: str, caption: str) -> None:
    _, given = actions.paths_room(visitor(coupling=coupling), "one data point").panes
    assert given.caption == caption
    assert np.ptp(given.positions[-1], axis=0).max() == 0
    assert np.ptp(given.positions[0], axis=0).min() > 1


@pytest.mark.parametrize("data", DATA)
def test_paths_room_opens_on_every_data_set(data: str) -> None:
    scene = actions.paths_room(visitor(data=data))
    assert scene.dim == (1 if data == "line mixture" else 2)


def test_classes_are_paired_in_the_paths_room_as_a_conditional_net_learns_them() -> None:
    state = visitor(data="moons", coupling="optimal transport", coupling_batch=60, conditional=True)
    pairs = draw_pairs(state.experiment, state.experiment.particles)
    ends = actions.paths_room(state).panes[0].positions
    assert ends[-1] == pytest.approx(pairs.x0, abs=1e-5)
    assert ends[0] == pytest.approx(pairs.x1, abs=1e-5)


@pytest.mark.parametrize("coupling", ["optimal transport", "sinkhorn"])
def test_a_coupling_without_closed_form_shows_no_exact_flow(coupling: str) -> None:
    state = visitor(coupling=coupling)
    assert len(actions.paths_room(state).panes) == 1
    with pytest.raises(ValueError, match="no closed form"):
        actions.probe(state, 0, 0, 0.5)


@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("path", PATHS)
def test_probed_paths_pass_through_the_point_and_their_mean_is_u(path: str, t: float) -> None:
    found = actions.probe(visitor(path=path), 0.3, -0.4, t)
    assert found.paths.shape == (actions.PROBED_PATHS, len(found.times), 2)
    assert torch.isfinite(found.velocities).all()
    assert torch.isfinite(found.u).all()
    if found.var < 50:  # far inside; at the ends a few paths may be very fast
        error = (found.velocities.mean(0) - found.u).norm()
        assert float(error) < 5 * (found.var / actions.PROBED_PATHS) ** 0.5 + 1e-3
    assert "mean u" in probe_html(found)


@pytest.mark.parametrize(("x", "y", "t"), [(float("nan"), 0, 0.5), (0, 1e9, 0.5), (0, 0, 1.5), (0, 0, -0.1)])
def test_a_probe_from_nowhere_is_refused(x: float, y: float, t: float) -> None:
    with pytest.raises(ValueError, match="Expected a point"):
        actions.probe(visitor(), x, y, t)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_sample_room_at_both_ends_of_its_controls(solver: str, end: str) -> None:
    numbers = {name: domain(name)[end] for name in ("sample_steps", "sde_noise", "guidance")}
    state = visitor(solver=solver, **numbers)
    found = sampling.sample_room(state, use_net=False)
    assert torch.isfinite(found.motion.positions).all()
    assert found.motion.nfe >= 1
    assert len(found.measured.values) == len(found.scene.times)


def test_without_a_net_the_page_says_so() -> None:
    for act in (lambda: sampling.sample_room(visitor(), True), lambda: sampling.field_error(visitor(), 0.5)):
        with pytest.raises(ValueError, match="no trained net"):
            act()


def test_guidance_by_the_oracle_samples_the_class() -> None:
    state = visitor(conditional=True, label=0, guidance=1.0, solver="heun", sample_steps=40)
    end = sampling.sample_room(state, use_net=False).motion.positions[-1]
    angle = torch.atan2(end[:, 1], end[:, 0])
    assert float(angle.std()) < 0.3


def test_error_curves_fall_with_work_for_every_solver() -> None:
    curves = list(sampling.error_curves(visitor(), use_net=False, count=60))
    assert [curve.solver for curve in curves] == list(SOLVERS)
    for curve in curves:
        assert curve.error[-1] < curve.error[0]
        assert curve.nfe == sorted(curve.nfe)


def test_likelihood_map_agrees_with_the_exact_density() -> None:
    found = sampling.likelihood_map(visitor(), use_net=False, size=24)
    assert found.exact is not None
    known = found.exact > -6
    assert float((found.flow - found.exact)[known].abs().mean()) < 0.1


@pytest.mark.parametrize("path", PATHS)
def test_every_path_has_a_formula_and_a_drawing(path: str) -> None:
    experiment = SMALL.but(path=path)
    drawing = coefficients_svg(actions.path_of(experiment), words.path_formula(experiment))
    assert drawing.count("<polyline") == 2


@pytest.mark.parametrize("bad", [None, "x", [[1, 2]], [["a"] * 6], [[0.1] * 6] * 17])
def test_components_from_the_browser_are_checked(bad: object) -> None:
    with pytest.raises(ValueError, match="mixture"):
        words.mixture_json(bad)


@pytest.mark.parametrize(
    "bad", [{}, {"strokes": []}, {"strokes": "abc"}, {"strokes": [[[0.0, 0.0]] * 5_000]}]
)
def test_strokes_from_the_browser_are_checked(bad: object) -> None:
    with pytest.raises(ValueError, match="drawing"):
        words.strokes(bad)


@pytest.mark.parametrize("use_net", [False, True])
def test_a_noisy_sampling_ends_at_the_step_after_it_was_stopped(use_net: bool) -> None:
    state = Visitor(Experiment(sde_noise=1, sample_steps=50, particles=20, frames=5))
    training.adopt_shipped(state)
    heard: list[tuple[int, int]] = []

    def tell(done: int, calls: int) -> None:
        heard.append((done, calls))
        if done == 3:
            begin(state)

    with pytest.raises(Stopped):
        sampling.sample_room(state, use_net, tell)
    assert heard == [(k, 50) for k in range(4)]
