"""Schedules: what is put in comes out, shifted as the model wants it, whatever is asked of the scheduler."""

import numpy as np
import pytest

from fmstudio.image.hub.cards import CARDS, EULER, UNIPC
from fmstudio.image.hub.steps import SOLVERS, even_sigmas, is_flow_scheduler, make_scheduler, real_steps


def sigmas(settings, solver=EULER, n=4, shift=None, **asked):
    scheduler = make_scheduler(settings, solver, n, shift)
    with real_steps(scheduler, n):
        scheduler.set_timesteps(**(asked or {"num_inference_steps": n}))
    return scheduler.sigmas.double().numpy()


def shifted(t, s):
    return s * t / (1 + (s - 1) * t)


def test_left_alone_the_scheduler_wastes_its_last_step() -> None:
    """Why `real_steps` is there: two steps of plain diffusers are one step and nothing."""
    plain = make_scheduler({}, EULER, 2)
    plain.set_timesteps(2)
    assert plain.sigmas.numpy() == pytest.approx([1.0, 0.001, 0.0])
    assert sigmas({}, n=2) == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("s", [1.0, 3.0, 0.5])
def test_a_static_shift_bends_the_even_grid(solver, n, s) -> None:
    expected = [*shifted(even_sigmas(n), s), 0.0]
    for settings in ({"shift": s}, {"flow_shift": s, "use_flow_sigmas": True}):
        assert sigmas(settings, solver, n) == pytest.approx(expected, abs=2e-6)
    assert sigmas({"shift": 7.0}, solver, n, shift=s) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_dynamic_shift_is_e_to_the_mu(solver) -> None:
    settings = {"use_dynamic_shifting": True}
    got = sigmas(settings, solver, 4, num_inference_steps=4, mu=0.8)
    assert got == pytest.approx([*shifted(even_sigmas(4), np.exp(0.8)), 0.0], abs=2e-6)
    own = sigmas(settings, solver, 4, shift=2.0, num_inference_steps=4, mu=0.8)
    assert own == pytest.approx([*shifted(even_sigmas(4), 2.0), 0.0], abs=2e-6)


@pytest.mark.parametrize(
    "asked", [{"sigmas": [1.0, 0.01]}, {"num_inference_steps": 30}, {"timesteps": [999, 3]}]
)
def test_whatever_the_pipeline_asks_for_it_gets_n_steps(asked) -> None:
    assert sigmas({}, n=4, **asked) == pytest.approx([1, 0.75, 0.5, 0.25, 0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_final_stretch_is_kept_only_where_it_wastes_no_step(solver) -> None:
    settings = {"shift_terminal": 0.02}
    for n in (1, 2, 8, 49):
        assert sigmas(settings, solver, n)[-2] == pytest.approx(1 / n, abs=2e-6)
    assert sigmas(settings, solver, 60)[-2] == pytest.approx(0.02, abs=1e-6)


def test_models_read_their_shift_settings_from_either_scheduler() -> None:
    for solver in SOLVERS:
        scheduler = make_scheduler({"use_dynamic_shifting": True, "max_shift": 0.9}, solver)
        assert scheduler.config["max_shift"] == 0.9


def test_a_schedule_that_wastes_a_step_is_refused() -> None:
    scheduler = make_scheduler({"shift_terminal": 0.0}, EULER, 3)
    broken = scheduler.set_timesteps
    scheduler.set_timesteps = lambda sigmas, **_: broken(sigmas=[*sigmas[:-1], sigmas[-2]])
    with real_steps(scheduler, 3), pytest.raises(RuntimeError, match="instead of 3 steps"):
        scheduler.set_timesteps(3)


def test_the_scheduler_is_itself_again_afterwards() -> None:
    scheduler = make_scheduler({}, EULER, 3)
    with real_steps(scheduler, 3):
        pass
    scheduler.set_timesteps(2)
    assert len(scheduler.sigmas) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, "deis", 4), "expected one of euler, unipc"),
        (({}, EULER, 0), "at least 1 step"),
        (({}, EULER, 4, -1.0), "positive number"),
        (({}, EULER, 4, float("nan")), "positive number"),
        (({"invert_sigmas": True}, UNIPC, 4), "inverted"),
    ],
)
def test_what_cannot_be_scheduled(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_scheduler(*arguments)


def test_which_schedulers_are_of_flow_matching() -> None:
    assert is_flow_scheduler("FlowMatchEulerDiscreteScheduler", {})
    sana = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
    assert is_flow_scheduler("DPMSolverMultistepScheduler", sana)
    assert not is_flow_scheduler("DPMSolverMultistepScheduler", {**sana, "prediction_type": "epsilon"})
    assert not is_flow_scheduler("PNDMScheduler", {})


@pytest.mark.parametrize("model", CARDS, ids=lambda model: model.title)
def test_every_card_offers_solvers_that_exist(model) -> None:
    assert set(model.solvers) <= set(SOLVERS)
    assert "deis" not in SOLVERS
