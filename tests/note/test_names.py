"""C8: a net is borrowed for another path only where its reading stays finite, and the page says why not."""

import pytest

from fmstudio.flow.paths import Bow, Linear, Path, Polynomial, Spherical, VariancePreserving
from fmstudio.learn.experiment import Experiment
from fmstudio.note.c08_names import kept, other_path, predict


@pytest.mark.parametrize("path", [Linear(), Spherical(), VariancePreserving()], ids=str)
def test_a_path_with_finite_readings_lends_its_net(path: Path) -> None:
    assert kept(path) is None
    assert other_path(path) is not None


@pytest.mark.parametrize(("path", "word"), [(Polynomial(2.0), "without bound"), (Bow(0.5), "turns")], ids=str)
def test_a_path_that_keeps_its_net_says_why(path: Path, word: str) -> None:
    assert word in (kept(path) or "")
    assert other_path(path) is None


def test_the_reason_stands_beside_the_prediction() -> None:
    prediction = predict(Experiment(path="polynomial"))
    assert any("without bound" in note for note in prediction.notes)
    assert not any("two paths" in number.name for number in prediction.numbers)
