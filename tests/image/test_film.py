import math
from dataclasses import replace

import pytest
import torch

from fmstudio.image.models import backbone
from fmstudio.image.progress import Progress
from fmstudio.image.questions.film import Film, film
from fmstudio.image.sampling.field import GuidedField
from fmstudio.image.sampling.sampling import sample
from fmstudio.image.settings import ImageSettings

SETTINGS = ImageSettings(steps=(4,), label=7, seed=3, bf16=False)


def last_film(settings: ImageSettings) -> Film:
    return [event for event in film(settings) if isinstance(event, Film)][-1]


def test_a_film_runs_from_the_noise_to_the_image() -> None:
    made = last_film(SETTINGS)
    model = backbone(SETTINGS.model)
    assert made.t == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    assert len(made.x) == len(made.x0_hat) == 5
    assert len(made.v) == len(made.speed) == len(made.turn) == len(made.bend) == 4
    noise = made.x[0][None]
    field = GuidedField(model.net, torch.tensor([7]))
    assert torch.allclose(made.x[-1], sample(field, noise, 4)[0], atol=1e-5)
    for t, x, v, x0_hat in zip(made.t, made.x, made.v, made.x0_hat, strict=False):
        assert torch.allclose(x0_hat, x - t * v, atol=1e-5)


def test_half_of_the_steps_is_not_half_as_many_steps() -> None:
    made = last_film(SETTINGS)
    model = backbone(SETTINGS.model)
    short = sample(GuidedField(model.net, torch.tensor([7])), made.x[0][None], 2)[0]
    assert torch.allclose(made.halved, short, atol=1e-5)
    assert (made.x[2] - made.halved).square().mean() > 10 * (made.x[-1] - made.halved).square().mean()


def test_a_straight_line_has_no_bend_and_no_turn() -> None:
    start, end = torch.randn(1, 4, 4), torch.randn(1, 4, 4)
    times = [1.0, 0.6, 0.0]
    straight = Film(
        SETTINGS, times, [end + t * (start - end) for t in times], [end] * 3, [start - end] * 2, finished=True
    )
    assert straight.bend == pytest.approx([0, 0], abs=1e-10)
    assert straight.turn == pytest.approx([0, 0], abs=0.1)
    assert straight.straightness() == pytest.approx(0)
    bent = Film(SETTINGS, times, straight.x, straight.x0_hat, [start - end, 0 * end], finished=True)
    assert bent.straightness() == pytest.approx(0.6)


def test_turns_are_angles() -> None:
    east, north = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 2.0]]])
    assert Film(SETTINGS, v=[east, north]).turn == pytest.approx([0, 90])
    assert Film(SETTINGS, v=[east, -north, -north]).turn[2] == pytest.approx(0, abs=0.1)


def test_an_unfinished_film_knows_its_frames_but_not_its_bend() -> None:
    running = film(SETTINGS)
    made = next(event for event in running if isinstance(event, Film))
    assert len(made.x) == 1
    assert made.bend == []
    running.close()


def test_an_adaptive_film_has_no_halves() -> None:
    made = last_film(ImageSettings(solver="dopri5", tolerances=(0.5,), label=1))
    assert made.halved is None
    assert made.t[0] == 1.0
    assert made.t[-1] == 0.0
    assert math.isfinite(made.straightness())


def test_progress_ends_with_nothing_left() -> None:
    shares = [event.share for event in film(SETTINGS) if isinstance(event, Progress)]
    assert len(shares) == 6
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["heun", "dopri5"])
def test_progress_of_a_film_ends_with_its_image(solver) -> None:
    settings = replace(SETTINGS, solver=solver, tolerances=(0.03,), shift=4.0)
    shares = [event.share for event in film(settings) if isinstance(event, Progress)]
    assert shares[-1] == pytest.approx(1.0)
