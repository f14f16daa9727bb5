"""Checkpoints: round trip, atomic, and clear about what they refuse."""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from fmstudio.learn.build import density_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets import shipped as shelf
from fmstudio.learn.nets.networks import Network, Shape
from fmstudio.learn.training.checkpoints import MOST_POINTS, Checkpoint, Curve, Point, load, save
from fmstudio.learn.training.train import train

TINY = Experiment(width=16, depth=1, fourier=4, batch=16, train_steps=20)


@pytest.fixture(scope="module")
def trained() -> Checkpoint:
    *_, final = train(TINY.but(conditional=True, label=2, guidance=1.5))
    return final.checkpoint


def test_round_trip_keeps_everything(trained, tmp_path) -> None:
    save(trained, tmp_path / "net.safetensors")
    back = load(tmp_path / "net.safetensors")
    assert back.experiment == trained.experiment
    assert (back.step, back.curve) == (trained.step, trained.curve)
    x, t = torch.randn(9, 2), torch.tensor(0.3)
    assert torch.equal(back.net(x, t), trained.net(x, t))
    assert torch.equal(back.resumable.draws, trained.resumable.draws)
    assert torch.equal(back.resumable.moments.second, trained.resumable.moments.second)


def test_net_only_is_smaller_and_samples_the_same(trained, tmp_path) -> None:
    save(trained, tmp_path / "all.safetensors")
    save(trained.net_only(), tmp_path / "net.safetensors")
    sizes = [(tmp_path / name).stat().st_size for name in ("net.safetensors", "all.safetensors")]
    assert sizes[0] < sizes[1] / 2
    back = load(tmp_path / "net.safetensors")
    assert back.resumable is None
    assert torch.equal(back.network.flat, trained.network.flat)


def test_field_follows_label_and_guidance(trained) -> None:
    x, t = torch.randn(9, 2), torch.tensor(0.3)
    net, told = trained.net, trained.net.given(2)
    guided = trained.field(trained.experiment)
    assert torch.allclose(guided(x, t), net(x, t) + 1.5 * (told(x, t) - net(x, t)), atol=1e-6)
    assert torch.equal(trained.field(trained.experiment.but(guidance=1))(x, t), told(x, t))
    assert torch.equal(trained.field(trained.experiment.but(label=-1))(x, t), net(x, t))


def test_a_failed_save_leaves_the_old_file(trained, tmp_path, monkeypatch) -> None:
    path = tmp_path / "net.safetensors"
    save(trained.net_only(), path)
    before = path.read_bytes()

    def full_disk(tensors, draft, metadata):
        with open(draft, "wb") as file:
            file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("fmstudio.learn.training.checkpoints.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save(trained, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def rewritten(trained, path, metadata=None, tensors=None):
    """A checkpoint file with some metadata or tensors replaced (None removes)."""
    from safetensors import safe_open

    save(trained, path)
    with safe_open(path, framework="pt") as file:
        header = dict(file.metadata())
    content = load_file(path)
    for store, changes in ((header, metadata), (content, tensors)):
        for name, value in (changes or {}).items():
            store.pop(name, None)
            if value is not None:
                store[name] = value
    save_file(content, path, metadata=header)
    return path


BAD = {
    "format": ({"format": "other"}, None, "not a net of this studio"),
    "no experiment": ({"experiment": None}, None, "cannot be read as a checkpoint: 'experiment'"),
    "field": ({"experiment": json.dumps({"colour": "red"})}, None, "Unknown field 'colour'"),
    "classes": ({"classes": "1000000000"}, None, r"classes in \[0, 64\]; got 1000000000"),
    "weights": (None, {"net.layers.0.weight": torch.zeros(2, 2)}, "size mismatch"),
    "infinite": (None, {"net.layers.0.bias": torch.full((16,), torch.inf)}, "a weight is not finite"),
    "missing": (None, {"training.first": None}, "'first'"),
    "moments": (None, {"training.second": torch.zeros(3)}, "second: expected"),
    "kind of moments": (None, {"training.count": torch.tensor(3)}, r"count: expected \(\), torch.float32"),
    "kind of draws": (None, {"training.draws": torch.zeros(5056)}, "draws: expected"),
    "no curve": ({"curve": "[1]"}, None, "cannot be read as a checkpoint"),
    "deep curve": ({"curve": "[" * 100_000}, None, "cannot be read as a checkpoint"),
    "words in the curve": (
        {"curve": json.dumps({"points": [{"step": "<b>", "loss": 1}]})},
        None,
        "finite numbers; got '<b>'",
    ),
    "a long curve": (
        {"curve": json.dumps({"points": [{"step": 1, "loss": 1}] * 700})},
        None,
        "at most 601 points",
    ),
    "an endless loss": ({"curve": '{"points": [], "seconds": Infinity}'}, None, "finite numbers; got inf"),
}


@pytest.mark.parametrize(("metadata", "tensors", "message"), BAD.values(), ids=list(BAD))
def test_bad_files_are_refused_with_the_reason(trained, tmp_path, metadata, tensors, message) -> None:
    path = rewritten(trained, tmp_path / "bad.safetensors", metadata, tensors)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_files_of_other_kinds_are_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="No checkpoint at"):
        load(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(ValueError, match="not a safetensors file"):
        load(tmp_path / "text.safetensors")


def test_curve_keeps_both_ends_and_stays_small() -> None:
    curve = Curve()
    for step in range(5 * MOST_POINTS):
        measured = 0.5 if step % 100 == 1 else None
        curve = curve.then(Point(step, 1.0, energy_distance=measured), float(step))
    assert len(curve.points) <= MOST_POINTS
    assert (curve.points[0].step, curve.points[-1].step) == (0, 5 * MOST_POINTS - 1)
    assert all(a.step < b.step for a, b in itertools.pairwise(curve.points))
    # What was measured now and then, at one step of a hundred, is not thinned out like the rest.
    assert sum(point.energy_distance is not None for point in curve.points) > 3 * len(curve.points) / 100


def test_shipped_net_is_found_by_its_problem(trained, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shelf, "FOLDER", tmp_path)
    save(trained.net_only(), tmp_path / "a.safetensors")
    shelf._catalogue.cache_clear()
    try:
        found = shelf.shipped(TINY.but(conditional=True, train_steps=9, width=64))
        assert found is not None
        assert found.experiment == trained.experiment
        assert shelf.shipped(TINY) is None
        assert shelf.shipped(TINY.but(conditional=True, path="spherical")) is None
    finally:
        shelf._catalogue.cache_clear()


def test_every_field_of_the_problem_matters_when_it_does() -> None:
    base = Experiment(path="custom", data="word", coupling="sinkhorn")
    for change in ({"word": "u"}, {"formula_a": "1 - t"}, {"sinkhorn_reg": 1.0}, {"coupling_batch": 64}):
        assert shelf.problem(base.but(**change)) != shelf.problem(base)
    latent = Experiment(path="latent", around="variance preserving")
    for change in ({"strength": 1.0}, {"around": "linear"}, {"beta1": 10.0}, {"data_noise": 0.2}):
        assert shelf.problem(latent.but(**change)) != shelf.problem(latent)
    # A word has no jitter.
    again = base.but(data_noise=0.2)
    assert shelf.problem(again) == shelf.problem(base)
    words = [density_of(e).sample(9, torch.Generator().manual_seed(0)).points for e in (again, base)]
    assert torch.equal(*words)


def test_the_studio_ships_the_default_experiments_net() -> None:
    found = shelf.shipped(Experiment())
    assert found is not None
    assert found.curve.points[-1].energy_distance < 0.005
    assert replace(found.curve, points=()).floor > 0
    assert isinstance(found.network, Network)
    assert found.network.shape == Shape(
        2, found.experiment.width, found.experiment.depth, found.experiment.fourier
    )
