import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import GeneralTracker, get_available_trackers
from PIL import Image

from fmstudio.image.folder import load_model
from fmstudio.image.networks import UNetDesign, build_unet
from fmstudio.image.scores.classifier import FeatureNet, save_classifier
from fmstudio.image.train import build_meter, checked_tracker, main, train
from fmstudio.image.training.loop import Run, TrainSettings, write_atomically

SETTINGS = TrainSettings(steps=6, batch=8, warmup=2, seed=3)
DESIGN = UNetDesign(size=8, image_channels=1, class_count=3, channels=(16, 16), groups=8)


@pytest.fixture(autouse=True)
def fresh_accelerate():
    """accelerate keeps one precision per process; each test starts anew."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def new_run(data, settings=SETTINGS) -> Run:
    torch.manual_seed(settings.seed)
    return Run(build_unet(DESIGN), data, settings, Accelerator(cpu=True, mixed_precision="no"))


def finish(run: Run) -> Run:
    for _ in run.advance():
        pass
    return run


def same_weights(first: Run, second: Run) -> bool:
    mine, theirs = first.state(), second.state()
    return all(
        torch.equal(a, b)
        for name in ("weights", "ema")
        for a, b in zip(mine[name], theirs[name], strict=True)
    )


@pytest.fixture(scope="module")
def whole(tiny_images) -> Run:
    """A run from its beginning to its end."""
    return finish(new_run(tiny_images))


def test_the_same_seed_gives_the_same_weights(whole, tiny_images) -> None:
    assert same_weights(whole, finish(new_run(tiny_images)))
    assert not same_weights(whole, finish(new_run(tiny_images, replace(SETTINGS, seed=4))))


def test_a_resumed_run_equals_an_uninterrupted_one(whole, tiny_images, tmp_path) -> None:
    begun = new_run(tiny_images)
    for _ in range(3):
        begun._one_step(begun.settings.rate(begun.step, begun._spent()))
        begun.step += 1
    write_atomically(begun.state(), tmp_path / "state.pt")
    torch.rand(17)  # the global generator plays no part
    resumed = new_run(tiny_images)
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert resumed.step == 3
    assert same_weights(finish(resumed), whole)


def test_another_recipe_is_not_resumed(whole, tiny_images) -> None:
    state = whole.state()
    other = new_run(tiny_images, replace(SETTINGS, learning_rate=5e-4, steps=9))
    with pytest.raises(ValueError, match=r"learning_rate 0\.001 there, 0\.0005 here"):
        other.restore(state)


def test_a_longer_budget_may_be_resumed(whole, tiny_images) -> None:
    longer = new_run(tiny_images, replace(SETTINGS, steps=8))
    longer.restore(whole.state())
    assert finish(longer).step == 8


def test_accumulated_parts_make_the_same_step(tiny_images) -> None:
    whole = finish(new_run(tiny_images, replace(SETTINGS, steps=2)))
    parts = finish(new_run(tiny_images, replace(SETTINGS, steps=2, accumulate=4)))
    for a, b in zip(whole.state()["weights"], parts.state()["weights"], strict=True):
        assert torch.allclose(a, b, atol=2e-4)


@pytest.fixture(scope="module")
def learned(tiny_images):
    """A run of 150 steps and its losses."""
    run = new_run(tiny_images, TrainSettings(steps=150, batch=16, warmup=5, learning_rate=3e-3))
    return run, [progress.loss for progress in run.advance()]


@pytest.mark.slow
def test_training_learns_the_three_classes(learned) -> None:
    _, losses = learned
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_a_run_leaves_state_log_model_and_samples(tiny_images, tmp_path) -> None:
    for _ in train(new_run(tiny_images), tmp_path, tiny_images.class_names):
        pass
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert line["step"] == 6
    model = load_model(tmp_path / "model")
    assert model.class_names == tiny_images.class_names
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    for mine, averaged in zip(model.net.parameters(), saved["ema"], strict=True):
        assert torch.equal(mine, averaged.half().float())
    with Image.open(tmp_path / "samples-0000006.png") as picture:
        assert picture.size == (80, 24)


@pytest.mark.slow
def test_a_closed_run_stops(tiny_images) -> None:
    run = new_run(tiny_images, replace(SETTINGS, steps=10_000))
    progress = run.advance()
    first = next(progress)
    progress.close()
    assert run.step == first.step == 50


def test_a_budget_in_minutes_ends_after_them(tiny_images) -> None:
    run = new_run(tiny_images, replace(SETTINGS, steps=None, minutes=0.01))
    finish(run)
    assert 0.6 <= run.seconds < 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": 1.0}, "one of them"),
        ({"steps": None}, "one of them"),
        ({"steps": -1}, "positive"),
        ({"time_law": "late"}, "mixed"),
    ],
)
def test_impossible_settings_are_refused(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **changes)


def test_a_batch_that_cannot_be_split_is_refused(tiny_images) -> None:
    with pytest.raises(ValueError, match="3 equal parts"):
        new_run(tiny_images, replace(SETTINGS, accumulate=3))


def test_rate_warms_up_and_falls_to_zero() -> None:
    settings = TrainSettings(steps=100, warmup=10, learning_rate=1.0)
    assert settings.rate(0, 0.0) == pytest.approx(0.1)
    assert settings.rate(50, 0.5) == pytest.approx(0.5)
    assert settings.rate(99, 1.0) == pytest.approx(0.0, abs=1e-12)


def write_pictures(folder):
    for label, shade in (("dark", 40), ("light", 220)):
        (folder / label).mkdir(parents=True)
        for index in range(6):
            Image.new("L", (8, 8), shade + index).save(folder / label / f"{index}.png")


def command(folder, out, steps, *launcher):
    start = launcher or (sys.executable, "-m")
    return [*start, "fmstudio.image.train", *options(folder, out, steps)]


def options(folder, out, steps):
    given = ("--data", folder, "--size", 8, "--out", out, "--steps", steps, "--channels", 16, 16)
    return [*map(str, given), "--batch", "8", "--threads", "1", "--cpu"]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.mark.slow
def test_a_killed_command_ends_with_the_weights_of_one_that_was_not(tmp_path) -> None:
    write_pictures(tmp_path / "data")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    steps, often = 200, ("--save-every", "0")
    main(options(tmp_path / "data", whole, steps))
    command_line = [*command(tmp_path / "data", killed, steps), *often]
    begun = subprocess.Popen(command_line, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (killed / "state.pt").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    begun.send_signal(signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL
    reached = torch.load(killed / "state.pt", weights_only=True)["step"]
    assert 0 < reached < steps
    main([*options(tmp_path / "data", killed, steps), *often])
    lines = [json.loads(line) for line in (killed / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines].count(50) == 1  # it went on, it did not start again
    first, second = (torch.load(out / "state.pt", weights_only=True) for out in (whole, killed))
    assert first["step"] == second["step"] == steps
    for name in ("weights", "ema"):
        for a, b in zip(first[name], second[name], strict=True):
            assert torch.equal(a, b)


class Notebook(GeneralTracker):
    """A tracker that keeps what it is told."""

    name = "notebook"
    requires_logging_directory = False
    main_process_only = False

    def __init__(self):
        super().__init__()
        self.values, self.pictures = [], []

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values):
        self.settings = values

    def log(self, values, step=None, **_):
        self.values.append((step, values))

    def log_images(self, values, step=None, **_):
        self.pictures.append((step, values["samples"].shape))


def test_trackers_get_loss_rate_pictures_and_the_distance(tiny_images, tmp_path) -> None:
    save_classifier(tmp_path / "metric", FeatureNet(1, 3), tiny_images.class_names)
    notebook = Notebook()
    torch.manual_seed(0)
    accelerator = Accelerator(cpu=True, mixed_precision="no", log_with=notebook)
    accelerator.init_trackers("test")
    run = Run(build_unet(DESIGN), tiny_images, SETTINGS, accelerator)
    meter = replace(build_meter(tmp_path / "metric", tiny_images), count=12, step_count=2)
    (progress,) = train(run, tmp_path / "run", tiny_images.class_names, meter=meter)
    assert (6, {"loss": progress.loss, "rate": progress.rate}) in notebook.values
    assert notebook.pictures == [(6, (1, 24, 80, 1))]
    measured = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert (6, {"distance": measured["distance"]}) in notebook.values
    net = load_model(tmp_path / "run" / "model").net
    assert meter(net) == pytest.approx(measured["distance"], rel=0.02)  # the folder is in half precision


@pytest.mark.slow
def test_the_meter_sees_how_near_samples_are_to_the_images(learned, tiny_images, tmp_path) -> None:
    save_classifier(tmp_path, FeatureNet(1, 3), tiny_images.class_names)
    meter = replace(build_meter(tmp_path, tiny_images), count=48)
    fresh = new_run(tiny_images).averaged()
    assert meter(learned[0].averaged()) < 0.5 * meter(fresh)


def test_a_tracker_that_is_not_there_is_refused() -> None:
    assert checked_tracker("none") is None
    with pytest.raises(ValueError, match="knows none, aim"):
        checked_tracker("paper")
    missing = {"tensorboard", "wandb", "mlflow"} - {str(kind) for kind in get_available_trackers()}
    for name in missing:
        with pytest.raises(ValueError, match=f"pip install {name}"):
            checked_tracker(name)


def test_a_transformer_is_trained_by_the_same_command_and_uploaded_on_request(tmp_path, monkeypatch) -> None:
    uploads = []

    class Hub:
        def create_repo(self, repository, private, exist_ok):
            assert exist_ok
            uploads.append((repository, private))
            return f"https://hub/{repository}"

        def upload_folder(self, repo_id, folder_path, commit_message):
            uploads.append((repo_id, sorted(path.name for path in folder_path.iterdir()), commit_message))

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    write_pictures(tmp_path / "data")
    out = tmp_path / "run"
    main(
        [
            *map(str, ("--data", tmp_path / "data", "--size", 8, "--out", out, "--steps", 2, "--batch", 4)),
            *("--network", "dit", "--width", "16", "--heads", "2", "--layers", "1", "--patch", "4"),
            *("--cpu", "--push-to-hub", "someone/shades", "--private"),
        ]
    )
    assert uploads[0] == ("someone/shades", True)
    assert uploads[1][:2] == (
        "someone/shades",
        ["README.md", "card.json", "model_index.json", "pipeline.py", "scheduler", "transformer"],
    )
    card = (out / "model" / "README.md").read_text()
    assert "dark, light" in card
    assert "--network dit" in card
    assert load_model(out / "model").net.part == "transformer"


def test_nothing_is_uploaded_unasked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: pytest.fail("the Hub was called"))
    write_pictures(tmp_path / "data")
    main(options(tmp_path / "data", tmp_path / "run", 1))
    assert not (tmp_path / "run" / "model" / "README.md").exists()


@pytest.mark.slow
def test_two_processes_make_the_weights_of_one(tmp_path) -> None:
    write_pictures(tmp_path / "data")
    launcher = (sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m")
    main(options(tmp_path / "data", tmp_path / "one", 3))
    two = command(tmp_path / "data", tmp_path / "two", 3, *launcher)
    subprocess.run(two, env=environment(), check=True, timeout=240)
    one, both = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("one", "two"))
    for a, b in zip(one["weights"], both["weights"], strict=True):
        assert torch.allclose(a, b, atol=1e-3)
