import math

import pytest
import torch
from PIL import Image

from fmstudio.flow.solve.tableaux import RK4
from fmstudio.image.models import backbone, repository_models
from fmstudio.image.progress import Progress
from fmstudio.image.questions import inversion as module
from fmstudio.image.questions.inversion import (
    Edit,
    Interpolation,
    Inversion,
    edit,
    fit_picture,
    interpolate,
    invert,
    slerp,
)
from fmstudio.image.sampling.field import draw_noise
from fmstudio.image.sampling.sampling import sample
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_unit

SNEAKER = 7


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return to_unit(repository_models().reference("fashion-metric").pictures[15])


def last(events, kind):
    return [event for event in events if isinstance(event, kind)][-1]


@pytest.mark.slow
def test_a_picture_comes_back_from_its_noise(picture) -> None:
    settings = ImageSettings(solver="rk4")
    made = last(invert(settings, picture, SNEAKER, 8), Inversion)
    assert made.error < 0.02
    assert made.nfe == 2 * 4 * 8
    rough = last(invert(ImageSettings(), picture, SNEAKER, 8), Inversion)
    assert rough.error > 3 * made.error
    mean, spread = made.noise_moments
    assert abs(mean) < 0.5
    assert 0.5 < spread < 1.5


@pytest.mark.slow
def test_the_noise_is_what_the_flow_makes_the_picture_of(picture) -> None:
    settings = ImageSettings(solver="rk4", bf16=False)
    made = last(invert(settings, picture, SNEAKER, 8), Inversion)
    model = backbone(settings.model)
    field = settings.field(model, torch.tensor([SNEAKER]), exact=True)
    again = sample(field, made.noise[None], 8, RK4)[0]
    assert torch.allclose(again, made.back, atol=1e-5)


def test_an_edit_from_near_the_picture_keeps_it_and_from_far_away_does_not(picture, monkeypatch) -> None:
    monkeypatch.setattr(module, "EDIT_TIMES", (0.1, 0.9))
    made = last(edit(ImageSettings(seed=2), picture, SNEAKER, 9, 6), Edit)
    assert made.fresh.shape == made.kept.shape == made.noised.shape == (2, 1, 28, 28)
    for ends in (made.fresh, made.kept):
        near, far = ((end - picture).square().mean() for end in ends)
        assert near < far
    noise = draw_noise((1, 1, 28, 28), 2)[0]
    assert torch.allclose(made.noised[1], 0.1 * picture + 0.9 * noise, atol=1e-6)


@pytest.mark.slow
def test_an_edit_into_its_own_class_by_its_own_noise_is_the_picture(picture, monkeypatch) -> None:
    monkeypatch.setattr(module, "EDIT_TIMES", (0.5,))
    made = last(edit(ImageSettings(solver="rk4"), picture, SNEAKER, SNEAKER, 16), Edit)
    assert (made.kept[0] - picture).square().mean().sqrt() < 0.02


def test_the_arc_keeps_the_length_and_the_line_does_not() -> None:
    first, second = draw_noise((1, 28, 28), 0), draw_noise((1, 28, 28), 1)
    half = slerp(first, second, 0.5)
    assert float(half.norm()) == pytest.approx(float((first.norm() + second.norm()) / 2), rel=0.02)
    assert float(torch.lerp(first, second, 0.5).norm()) == pytest.approx(math.sqrt(784 / 2), rel=0.05)
    assert torch.allclose(slerp(first, second, 0.0), first, atol=1e-5)
    assert torch.allclose(slerp(first, second, 1.0), second, atol=1e-5)
    assert torch.allclose(slerp(first, first, 0.3), first)


def test_the_ends_of_an_interpolation_are_the_images_of_both_seeds() -> None:
    settings = ImageSettings(seed=3, bf16=False)
    made = last(interpolate(settings, 4, 2, 3, 2), Interpolation)
    model = backbone(settings.model)
    field = settings.field(model, torch.tensor([2, 2]))
    noise = torch.stack([draw_noise((1, 28, 28), seed) for seed in (3, 4)])
    ends = sample(field, noise, 2)
    for row in (made.sphere, made.line, made.fade):
        assert row.shape == (3, 1, 28, 28)
        assert torch.allclose(row[[0, 2]], ends, atol=1e-4)
    assert torch.allclose(made.fade[1], ends.mean(dim=0), atol=1e-4)
    assert made.norms[1][1] < 0.8 < 0.95 < made.norms[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["euler", "dopri5"])
def test_progress_rises_to_the_end(picture, solver) -> None:
    settings = ImageSettings(solver=solver)
    shares = [e.share for e in invert(settings, picture, SNEAKER, 3) if isinstance(e, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_any_picture_becomes_an_image_of_the_model() -> None:
    wide = Image.new("RGBA", (60, 40), (255, 0, 0, 255))
    assert fit_picture(wide, (3, 32, 32)).shape == (3, 32, 32)
    assert fit_picture(wide, (3, 32, 32))[0].min() == 1.0
    assert fit_picture(wide, (1, 28, 28)).shape == (1, 28, 28)
    clear = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    assert (fit_picture(clear, (1, 28, 28)) == -1).all()
    assert (fit_picture(clear, (1, 28, 28), negative=True) == -1).all()
    assert (fit_picture(clear, (3, 28, 28), backdrop="white") == 1).all()
    ramp = Image.linear_gradient("L").resize((28, 28))
    swapped = fit_picture(ramp, (1, 28, 28), negative=True)
    assert torch.allclose(fit_picture(ramp, (1, 28, 28)), -swapped, atol=1e-6)
