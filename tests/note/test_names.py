"""C8: a net is borrowed for another path only where its reading stays finite, and the page says why not."""

import pytest
import torch

from fmstudio.flow.densities.mixture import isotropic, standard_normal
from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.turning import Bow
from fmstudio.learn.experiment import Experiment
from fmstudio.note.claims.c08_names import borrowed, kept, other_path, predict


@pytest.mark.parametrize("path", [Linear(), Spherical(), VariancePreserving()], ids=str)
def test_a_path_with_finite_readings_lends_its_net(path: Path) -> None:
    assert kept(path) is None
    assert other_path(path) is not None


@pytest.mark.parametrize(("path", "word"), [(Polynomial(2.0), "without bound"), (Bow(0.5), "turns")], ids=str)
def test_a_path_that_keeps_its_net_says_why(path: Path, word: str) -> None:
    assert word in (kept(path) or "")
    assert other_path(path) is None


@pytest.mark.parametrize("target", [VariancePreserving(), Spherical()], ids=str)
def test_a_borrowed_net_has_a_velocity_at_both_ends(target: Path) -> None:
    """b′ of the variance-preserving path is infinite at t = 0, and the velocity is not."""
    data = isotropic([[-1.0, 0.5], [1.0, -0.5]], 0.4)
    field = borrowed(oracle_for(Linear(), data, standard_normal()), Linear(), target)
    own = oracle_for(target, data, standard_normal())
    x = data.sample(200, torch.Generator().manual_seed(0)).points
    for time in (0.0, 1e-3, 0.5):
        t = torch.tensor(time)
        # At t = 0 it answers with the velocity of t = 1e-3.
        exact = own(x, t.clamp(min=1e-3))
        assert float((field(x, t) - exact).abs().max()) < 0.02 * float(exact.abs().max()), time
    assert field(x, torch.tensor(1.0)).isfinite().all()


def test_the_reason_stands_beside_the_prediction() -> None:
    prediction = predict(Experiment(path="polynomial"))
    assert any("without bound" in note for note in prediction.notes)
    assert not any("two paths" in number.name for number in prediction.numbers)
