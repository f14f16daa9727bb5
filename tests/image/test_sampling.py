import math

import numpy as np
import pytest
import torch

from fmstudio.flow.solve.tableaux import EULER, HEUN, MIDPOINT, RK4
from fmstudio.image.finite import NotFiniteError
from fmstudio.image.models import backbone, backbone_names
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.grid import GridRow, grid_labels, grid_row
from fmstudio.image.sampling.sampling import AdaptivePlan, FixedPlan, SampleStep, sample, shifted_times

LABELS = torch.tensor([0, 2])


def noise(seed: int = 0) -> torch.Tensor:
    return draw_noise((2, 1, 8, 8), seed)


@pytest.mark.parametrize("name", backbone_names())
def test_an_image_of_a_row_is_the_same_in_a_longer_row_and_not_to_be_had_alone(name: str) -> None:
    shape = backbone(name).net.image_shape
    row, longer, alone = (draw_noise((count, *shape), 4) for count in (3, 7, 1))
    assert torch.equal(longer[:3], row)
    assert torch.equal(alone[0], row[0])
    assert not any(torch.equal(draw_noise((1, *shape), 4 + k)[0], row[k]) for k in (1, 2))


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("adaptive", [False, True])
def test_numbers_that_are_not_finite_stop_the_run(tiny_net, adaptive: bool, bf16: bool) -> None:
    field = GuidedField(tiny_net, LABELS, bf16=bf16)
    runs = (AdaptivePlan(1e-2) if adaptive else FixedPlan(3)).run(field, noise())
    assert next(runs).x.isfinite().all()
    with torch.no_grad():
        next(iter(tiny_net.parameters())).fill_(torch.inf)
    where = r"The network at t = 0\.\d+" if adaptive else r"Step 2 of 3 \(t = 0\.667\)"
    with pytest.raises(
        NotFiniteError, match=f"{where} .* in {'bfloat16' if bf16 else 'float32'}; .* guidance"
    ):
        next(runs)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 7, 8, 16])
@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_our_euler_is_diffusers_flow_match_euler(tiny_net, steps, guidance) -> None:
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps))
    field = GuidedField(tiny_net, LABELS, guidance)
    x = noise()
    assert len(scheduler.timesteps) == steps
    for t in scheduler.timesteps:
        x = scheduler.step(field(x, t / 1000), t, x, return_dict=False)[0]
    assert torch.allclose(sample(field, noise(), steps), x, atol=2e-6, rtol=0)


def test_guidance_one_is_the_plain_conditional_flow(tiny_net) -> None:
    x, t = noise(), torch.tensor(0.7)
    assert torch.equal(GuidedField(tiny_net, LABELS, 1.0)(x, t), tiny_net(x, t, LABELS))


def test_guidance_mixes_with_and_without_class(tiny_net) -> None:
    x, t = noise(), torch.tensor(0.7)
    with_class = tiny_net(x, t, LABELS)
    without = tiny_net(x, t, torch.full_like(LABELS, tiny_net.no_class))
    assert not torch.allclose(with_class, without, atol=1e-4)
    for w in (0.0, 0.5, 3.0):
        expected = without + w * (with_class - without)
        assert torch.allclose(GuidedField(tiny_net, LABELS, w)(x, t), expected, atol=1e-5)


def test_a_seed_means_the_same_noise_and_the_same_images(tiny_net) -> None:
    field = GuidedField(tiny_net, LABELS, 1.5)
    assert torch.equal(noise(3), noise(3))
    assert not torch.equal(noise(3), noise(4))
    assert noise(3).device.type == "cpu"
    assert torch.equal(sample(field, noise(3), 3), sample(field, noise(3), 3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_seed_means_the_same_picture_on_every_device(tiny_net) -> None:
    here = sample(GuidedField(tiny_net, LABELS), noise(), 4)
    there = sample(GuidedField(tiny_net.cuda(), LABELS), noise().cuda(), 4)
    assert torch.allclose(here, there.cpu(), atol=1e-3)


@pytest.mark.parametrize(("solver", "stages"), [(EULER, 1), (MIDPOINT, 2), (HEUN, 2), (RK4, 4)])
def test_every_evaluation_is_counted(tiny_net, solver, stages) -> None:
    calls = []
    tiny_net.register_forward_hook(lambda *_: calls.append(1))
    states = list(FixedPlan(3, solver).run(GuidedField(tiny_net, LABELS, 2.0), noise()))
    assert len(calls) == 3 * stages
    assert [state.nfe for state in states] == [stages, 2 * stages, 3 * stages]
    assert [state.index for state in states] == [1, 2, 3]
    assert states[-1].t == 0


class Growth(torch.nn.Module):
    """v = t x for every class: x at t = 0 is x at t = 1 times exp(−1/2)."""

    no_class = 3
    device = torch.device("cpu")

    def forward(self, x, t, labels):
        return t * x


@pytest.mark.parametrize(("solver", "bound"), [(EULER, 0.1), (MIDPOINT, 3e-3), (HEUN, 3e-3), (RK4, 1e-5)])
def test_every_solver_follows_the_flow_from_noise_to_data(solver, bound) -> None:
    end = sample(GuidedField(Growth(), LABELS), noise(), 8, solver)
    error = (end / (noise() * math.exp(-0.5)) - 1).abs().max().item()
    assert error < bound


def test_the_predicted_image_is_x_minus_t_v(tiny_net) -> None:
    field = GuidedField(tiny_net, LABELS)
    x, t = noise(), 1.0
    for state in FixedPlan(4).run(field, noise()):
        v = field(x, torch.tensor(t))
        assert torch.allclose(state.v, v, atol=1e-6)
        assert torch.allclose(state.x0_hat, x - t * v, atol=1e-6)
        x, t = state.x, state.t


def test_the_single_step_lands_on_the_first_prediction(tiny_net) -> None:
    (state,) = FixedPlan(1).run(GuidedField(tiny_net, LABELS), noise())
    assert torch.allclose(state.x, state.x0_hat, atol=1e-6)


def step_grid(net, steps, classes, guidance=1.0, seed=0, count=10):
    field = GuidedField(net, grid_labels(classes, count), guidance)
    start = draw_noise((count, *net.image_shape), seed)
    for plan in map(FixedPlan, steps):
        yield from grid_row(plan, plan.run(field, start))


def test_a_grid_has_one_row_per_step_count_from_one_noise(tiny_net) -> None:
    events = list(step_grid(tiny_net, [1, 3], [0, 2], guidance=1.5, seed=5, count=4))
    assert [type(event) for event in events] == [
        SampleStep,
        GridRow,
        SampleStep,
        SampleStep,
        SampleStep,
        GridRow,
    ]
    rows = [event for event in events if isinstance(event, GridRow)]
    assert [row.step_count for row in rows] == [1, 3]
    assert [row.nfe for row in rows] == [1, 3]
    assert all(row.images.shape == (4, 1, 8, 8) and row.images.dtype == torch.uint8 for row in rows)
    alone = [row for row in step_grid(tiny_net, [3], [0, 2], 1.5, 5, 4) if isinstance(row, GridRow)]
    assert torch.equal(alone[0].images, rows[1].images)


def test_a_closed_grid_stops_the_work(tiny_net) -> None:
    calls = []
    tiny_net.register_forward_hook(lambda *_: calls.append(1))
    grid = step_grid(tiny_net, [50], [0], count=1)
    next(grid)
    grid.close()
    assert len(calls) == 1


def test_wrong_labels_are_refused(tiny_net) -> None:
    with pytest.raises(ValueError, match=r"0 … 3"):
        GuidedField(tiny_net, torch.tensor([4]))
    with pytest.raises(ValueError, match="at least one class"):
        grid_labels([], 3)
    assert grid_labels([3, 5], 4).tolist() == [3, 5, 3, 5]


@pytest.mark.parametrize("shift", [0.3, 1.0, 3.0])
def test_shifted_times_are_those_of_diffusers(shift) -> None:
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / 7, 7))
    assert torch.allclose(shifted_times(7, shift), scheduler.sigmas, atol=1e-6)


def test_shifted_times_keep_their_ends_and_their_order() -> None:
    up = shifted_times(5, 3.0, 0.0, 0.7)
    assert up[0] == 0.0
    assert up[-1] == pytest.approx(0.7)
    assert (up.diff() > 0).all()
    # The middle part of a shifted schedule is a schedule of the same shift.
    whole = shifted_times(6, 2.5)
    part = shifted_times(3, 2.5, float(whole[1]), float(whole[4]))
    assert torch.allclose(part, whole[1:5], atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, -1.0, float("nan"), float("inf")])
def test_a_shift_that_is_no_positive_number_is_refused(shift) -> None:
    with pytest.raises(ValueError, match="positive number"):
        shifted_times(3, shift)


def test_adaptive_steps_follow_the_flow_within_the_tolerance() -> None:
    events = list(AdaptivePlan(1e-4).run(GuidedField(Growth(), LABELS), noise()))
    exact = noise() * math.exp(-0.5)
    assert (events[-1].x - exact).abs().max() < 1e-3
    assert events[-1].t == 0.0
    assert [event.index for event in events] == list(range(1, len(events) + 1))
    assert all(event.steps is None for event in events)
    loose = list(AdaptivePlan(1e-1).run(GuidedField(Growth(), LABELS), noise()))
    assert loose[-1].nfe < events[-1].nfe


@pytest.mark.slow
def test_there_and_back_is_where_it_began(tiny_net) -> None:
    field = GuidedField(tiny_net, LABELS)
    there = list(FixedPlan(20, RK4).run(field, noise()))[-1].x
    back = list(FixedPlan(20, RK4).run(field, there, start=0.0, end=1.0))[-1].x
    assert torch.allclose(back, noise(), atol=1e-3)
