"""Every claim holds where it applies, fails when it is broken, and says why where it does not apply."""

import dataclasses
import importlib
from collections.abc import Iterator

import pytest

from fmstudio.device import one_core
from fmstudio.learn.experiment import Experiment
from fmstudio.note import CLAIMS
from fmstudio.note.parts import flow_likelihood
from fmstudio.note.report import measured, predicted

DEFAULT = Experiment()
#: One more path and data set: a bent path for most, the chain's own for C1, a real one for C8.
OTHERS = {number: Experiment(path="bow", data="mixture") for number in CLAIMS} | {
    "C1": Experiment(path="variance preserving", data="two spirals", data_points=300),
    "C5": Experiment(path="spherical", data="moons"),
    "C8": Experiment(path="spherical", data="moons", target="x0"),
    "C9": Experiment(path="polynomial", data="line mixture"),
    "C4": Experiment(path="latent", data="rings", around="linear"),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """For predictions too, whose sums would else depend on the machine's cores."""
    with one_core():
        yield


def _verdict(number, experiment, broken=False):
    assert CLAIMS[number].applies(experiment) is None
    verdict = measured(number, experiment, broken).verdict
    assert verdict is not None
    return verdict


@pytest.mark.slow
@pytest.mark.parametrize("number", CLAIMS)
def test_holds_for_the_default_experiment(number) -> None:
    verdict = _verdict(number, DEFAULT)
    assert verdict.holds, verdict.sentence


@pytest.mark.slow
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("number", CLAIMS)
def test_holds_for_another_path_and_data_set(number) -> None:
    verdict = _verdict(number, OTHERS[number])
    assert verdict.holds, verdict.sentence


@pytest.mark.slow
@pytest.mark.usefixtures("cheaper")
@pytest.mark.parametrize("number", CLAIMS)
def test_fails_when_broken(number) -> None:
    verdict = _verdict(number, DEFAULT, broken=True)
    assert not verdict.holds
    assert any(c.distance > 2 for c in verdict.checks if not c.holds)


@pytest.mark.slow
@pytest.mark.parametrize("number", CLAIMS)
def test_a_prediction_never_measures_and_is_the_same_twice(number, monkeypatch) -> None:
    first = predicted(CLAIMS[number], DEFAULT).prediction

    def measuring(*args, **kwargs):
        raise AssertionError("a prediction may not measure")

    module = importlib.import_module(CLAIMS[number].predict.__module__)
    processes = ("steps", "random_path_process", "learned", "train_on_chain", "identity_switching")
    for name in (*processes, "model_mean", "fit", "walk", "_measure", "_end_distances"):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, measuring)
    for name in ("measure", "log_p"):
        monkeypatch.setattr(flow_likelihood, name, measuring)
    for cached in (getattr(module, name, None) for name in ("_sums", "_parts_chords", "points_of")):
        if cached is not None:
            cached.cache_clear()
    prediction = dataclasses.replace(CLAIMS[number], steps=measuring).predict(DEFAULT)
    assert prediction.numbers
    assert prediction == first


@pytest.mark.parametrize("number", CLAIMS)
def test_says_why_it_does_not_apply(number) -> None:
    reason = CLAIMS[number].applies(Experiment(coupling="optimal transport"))
    assert reason is not None
    assert "independent" in reason
    zigzag = CLAIMS[number].applies(Experiment(path="zig-zag"))
    assert (zigzag is None) == (number in ("C1", "C4", "C7"))


def test_claims_are_numbered_in_order() -> None:
    assert list(CLAIMS) == [f"C{k}" for k in range(1, 11)]
    assert all(claim.number == number for number, claim in CLAIMS.items())
