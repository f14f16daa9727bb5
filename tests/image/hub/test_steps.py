"""The wrapper around `scheduler.step`, on schedulers alone."""

import pytest
import torch

from fmstudio.image.hub.cards import EULER
from fmstudio.image.hub.steps import (
    SOLVERS,
    StepRecord,
    make_scheduler,
    measure_trajectory,
    real_steps,
    recorded,
)


def follow(scheduler, velocity, x, n) -> list[StepRecord]:
    records: list[StepRecord] = []
    with real_steps(scheduler, n), recorded(scheduler, records.append):
        scheduler.set_timesteps(n)
        for t in scheduler.timesteps:
            x = scheduler.step(velocity(x, t), t, x, return_dict=False)[0]
    return records


@pytest.mark.parametrize("solver", SOLVERS)
def test_x0_hat_is_the_data_on_a_straight_path(solver, generator) -> None:
    data, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    records = follow(make_scheduler({"shift": 3.0}, solver, 5), lambda *_: noise - data, noise, 5)
    for record in records:
        assert torch.allclose(record.x0_hat, data, atol=1e-4)
        assert torch.allclose(record.x, (1 - record.sigma) * data + record.sigma * noise, atol=1e-4)
    assert torch.allclose(records[-1].x_next, data, atol=1e-4)
    assert measure_trajectory(records).straightness < 1e-6


def test_inverted_sigmas_are_turned_back(generator) -> None:
    """OmniGen's scheduler counts s = 1 − σ upwards and its network answers x₀ − x₁."""
    data, noise = (torch.randn(1, 4, 4, 4, generator=generator) for _ in range(2))
    scheduler = make_scheduler({"invert_sigmas": True, "num_train_timesteps": 1}, EULER, 4)
    records = follow(scheduler, lambda *_: data - noise, noise, 4)
    assert [record.sigma for record in records] == pytest.approx([1, 0.75, 0.5, 0.25])
    assert records[-1].sigma_next == pytest.approx(0.0)
    for record in records:
        assert torch.allclose(record.v, noise - data)
        assert torch.allclose(record.x0_hat, data, atol=1e-5)


def test_records_are_copies_in_float32(generator) -> None:
    noise = torch.randn(1, 4, 4, 4, generator=generator).bfloat16()
    (record,) = follow(make_scheduler({}, EULER, 1), lambda x, _: x, noise, 1)
    noise.zero_()
    assert record.x.abs().sum() > 0
    assert record.x.dtype == record.v.dtype == record.x_next.dtype == torch.float32


def test_a_scheduler_steps_as_before_when_nobody_listens() -> None:
    scheduler = make_scheduler({}, EULER, 1)
    with recorded(scheduler, lambda _: None):
        assert "step" in vars(scheduler)
    assert "step" not in vars(scheduler)


def test_straightness_of_a_quarter_circle() -> None:
    """x = cos(πt/2) x₀ + sin(πt/2) x₁ with x₀ ⊥ x₁ of length 1: (π²/4 + 2 − 4)/2 = π²/8 − 1."""
    steps = 1000
    ends = torch.eye(2)
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)

    def place(t):
        a, b = torch.cos(t * torch.pi / 2), torch.sin(t * torch.pi / 2)
        return (a * ends[0] + b * ends[1]).float()

    def velocity(t):
        a, b = torch.cos(t * torch.pi / 2), torch.sin(t * torch.pi / 2)
        return (torch.pi / 2 * (a * ends[1] - b * ends[0])).float()

    records = [
        StepRecord(
            k + 1, float(times[k]), float(times[k + 1]), place(times[k]), velocity(times[k]), after, 0.0
        )
        for k, after in enumerate(place(t) for t in times[1:])
    ]
    result = measure_trajectory(records)
    assert result.straightness == pytest.approx(torch.pi**2 / 8 - 1, abs=1e-3)
    assert result.steps[0].speed == pytest.approx(torch.pi / 2 / 2**0.5, abs=1e-5)


def test_one_step_is_straight_and_none_is_no_trajectory(generator) -> None:
    noise = torch.randn(1, 4, 4, 4, generator=generator)
    records = follow(make_scheduler({}, EULER, 1), lambda x, _: 3 * x, noise, 1)
    assert measure_trajectory(records).straightness < 1e-10
    with pytest.raises(ValueError, match="at least one step"):
        measure_trajectory([])
