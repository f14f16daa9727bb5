import math
from types import SimpleNamespace

import pytest
import torch

from fmstudio.flow.densities.mixture import GaussianMixture
from fmstudio.flow.solve.likelihood import log_likelihood
from fmstudio.flow.solve.tableaux import RK4
from fmstudio.image.networks import build_unet
from fmstudio.image.progress import Progress
from fmstudio.image.questions import bits as module
from fmstudio.image.questions.bits import LEVEL, Bits, bits_per_dimension
from fmstudio.image.settings import ImageSettings
from tests.image.conftest import TINY


class Shrink(torch.nn.Module):
    """v = c x, so x₁ = eᶜ x₀ and x₀ is normal with standard deviation e⁻ᶜ; the divergence is c D."""

    no_class, image_shape, device, rate = 3, (1, 4, 4), torch.device("cpu"), 1.5

    def forward(self, x, t, labels):
        return self.rate * x


@pytest.fixture
def gaussian(monkeypatch):
    monkeypatch.setattr(
        module, "backbone", lambda name: SimpleNamespace(net=Shrink(), class_names=("a",) * 3)
    )


def last(events) -> Bits:
    return [event for event in events if isinstance(event, Bits)][-1]


def picture(level: int) -> torch.Tensor:
    return torch.full((1, 4, 4), level / LEVEL - 1)


def expected(x: torch.Tensor) -> float:
    scale = math.exp(-Shrink.rate)
    log_density = torch.distributions.Normal(0.0, scale).log_prob(x).mean()
    return float(-log_density / math.log(2)) + math.log2(LEVEL)


@pytest.mark.parametrize("level", [100, 128, 200])
def test_the_bits_of_a_gaussian_are_known(gaussian, level) -> None:
    settings = ImageSettings(solver="rk4")
    made = last(bits_per_dimension(settings, picture(level), 0, 20, 3, dequantise=False))
    assert made.mean == pytest.approx(expected(picture(level)), abs=1e-4)
    # Signs estimate a multiple of the identity without error.
    assert made.standard_error == pytest.approx(0, abs=1e-6)
    assert made.nfe == 80


def test_dequantised_bits_are_the_mean_over_a_level(gaussian) -> None:
    settings = ImageSettings(solver="rk4", seed=1)
    made = last(bits_per_dimension(settings, picture(150), 0, 12, 400))
    grid = (150 + torch.linspace(-0.5, 0.5, 2001)) / LEVEL - 1
    assert made.dequantised
    assert made.mean == pytest.approx(expected(grid), abs=4 * made.standard_error + 1e-4)
    assert made.standard_error < 0.01


def test_dequantised_probabilities_of_all_levels_sum_to_no_more_than_one(gaussian) -> None:
    # 2^(−bits) bounds the probability of a level from below, so the sum cannot exceed 1.
    settings, total = ImageSettings(solver="heun"), 0.0
    for level in range(0, 256, 8):
        made = last(bits_per_dimension(settings, picture(level), 0, 20, 4))
        total += 8 * 2.0**-made.mean
    assert 0.9 < total < 1.01


IMAGE = torch.linspace(-1, 1, 64).reshape(1, 8, 8)


@pytest.fixture(scope="module")
def exact() -> float:
    """The bits of `IMAGE` under the tiny net, by the likelihood of the flow chapter."""
    torch.manual_seed(0)
    net = build_unet(TINY).eval().requires_grad_(False)
    source = GaussianMixture(torch.zeros(1, 64), torch.eye(64)[None], torch.ones(1))

    def field(x, t):
        return net(x.reshape(-1, 1, 8, 8), t, torch.tensor([1])).flatten(1)

    found = log_likelihood(field, IMAGE.reshape(1, -1), 4, RK4, source)
    return -float(found) / (64 * math.log(2)) + math.log2(LEVEL)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["rk4", "dopri5"])
def test_a_net_agrees_with_the_likelihood_of_the_flow_chapter(exact, tiny_net, monkeypatch, solver) -> None:
    monkeypatch.setattr(
        module, "backbone", lambda name: SimpleNamespace(net=tiny_net, class_names=("a", "b", "c"))
    )
    settings = ImageSettings(solver=solver, seed=2)
    made = last(bits_per_dimension(settings, IMAGE, 1, 12, 48, dequantise=False))
    assert made.mean == pytest.approx(exact, abs=4 * made.standard_error + 1e-3)
    assert made.standard_error > 0


def test_progress_rises_and_a_closed_estimate_stops(gaussian) -> None:
    events = list(bits_per_dimension(ImageSettings(), picture(9), 0, 5, 2))
    shares = [event.share for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert len(shares) == 5
