"""Train the nets in models/nets: one default experiment each, on one CPU thread, and their card.

.venv/bin/python -m scripts.train_models            all of them
.venv/bin/python -m scripts.train_models moons      only those named; the card is always of all files
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import torch

from fmstudio.flow.metrics import energy_distance, noise_floor
from fmstudio.learn.build import density_of
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.nets.shipped import FOLDER
from fmstudio.learn.training.checkpoints import Checkpoint, Point, load, save
from fmstudio.learn.training.measure import LAST_SAMPLES, LAST_STEPS
from fmstudio.learn.training.train import train

EXPERIMENTS: dict[str, Experiment] = {
    "8-gaussians": Experiment(),
    "moons": Experiment(data="moons"),
    "checkerboard": Experiment(data="checkerboard"),
    "two-spirals": Experiment(data="two spirals"),
    "pinwheel": Experiment(data="pinwheel"),
    "rings": Experiment(data="rings"),
    "swiss-roll": Experiment(data="swiss roll"),
    "line-mixture": Experiment(data="line mixture"),
    "8-gaussians-spherical": Experiment(path="spherical"),
    "8-gaussians-variance-preserving": Experiment(path="variance preserving"),
    "8-gaussians-optimal-transport": Experiment(coupling="optimal transport"),
    "8-gaussians-conditional": Experiment(conditional=True),
    "moons-conditional": Experiment(data="moons", conditional=True),
    "8-gaussians-to-moons": Experiment(data="moons", source="8 gaussians"),
}

CURVE_INTERVAL = 0.03
"""Seconds between two points of a training curve."""

CARD = """# Nets of the default experiments

Small velocity nets, trained by `scripts/train_models.py` so that every room of the studio has one before the
first click. Each file is a safetensors checkpoint: the weights (their running mean, float32), and in its
metadata the experiment as JSON and the training curve. Read one with
`fmstudio.learn.training.checkpoints.load`.

- **Data**: drawn by the studio itself (`fmstudio/flow/densities`); nothing external.
- **Licence**: MIT, as the studio.
- **Recipe**: the defaults of `Experiment` with the changes in the table: {recipe}
- **Machine**: one thread of a shared {machine}, torch {torch}; seconds are wall time with all measuring.
- **Limits**: a net knows the one problem it was trained on, in the region where its particles travel.

*Floor* is the least loss any net can reach, E var_t(x_t), from the exact velocity; *excess* is E|u_θ − u|²,
what the net is above it. Of a cloud of points the exact velocity knows every single point as t → 0, and no
net should: part of that excess is not an error. *Energy distance* is between {samples:,} samples of the flow
(Heun, {steps} steps) and as many fresh points of the data, without bias; two fresh sets of data differ by 0 ±
the last column. With a coupling that is not independent the exact velocity has no closed form.

| file | changes | weights | steps | seconds | loss | floor | excess | energy distance | ± |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


def learn(name: str, experiment: Experiment) -> None:
    """Train one net to the end and save it."""
    *_, last = train(experiment, interval=CURVE_INTERVAL)
    save(last.checkpoint.net_only(), FOLDER / f"{name}.safetensors")
    print(f"{name}: {last.seconds:.1f} s, energy distance {last.energy_distance:.5f}", flush=True)


def row(file: Path, checkpoint: Checkpoint) -> str:
    """One line of the card's table."""
    e, curve = checkpoint.experiment, checkpoint.curve
    last: Point = curve.points[-1]
    changes = ", ".join(f"{name}: {value}" for name, value in e.changes().items()) or "none"
    spread = noise_floor(
        energy_distance, density_of(e), LAST_SAMPLES, torch.Generator().manual_seed(0), 16
    ).std
    cells = [
        f"`{file.name}`",
        changes,
        f"{checkpoint.network.shape.weights:,}",
        f"{checkpoint.step:,}",
        f"{curve.seconds:.0f}",
        f"{last.loss:.3f}",
        "–" if curve.floor is None else f"{curve.floor:.3f} ± {curve.floor_error:.3f}",
        "–" if last.excess is None else f"{last.excess:.4f}",
        f"{last.energy_distance:.5f}",
        f"{spread:.5f}",
    ]
    return "| " + " | ".join(cells) + " |"


def write_card() -> None:
    """Write README.md beside the nets, from what their files say."""
    e = Experiment()
    recipe = (
        f"{e.depth} hidden layers of {e.width}, {e.fourier} Fourier frequencies, {e.train_steps:,} steps of "
        f"{e.batch}, AdamW, learning rate {e.learning_rate:g} ({e.schedule}), running mean {e.ema:g}, "
        f"seed {e.seed}."
    )
    rows = [row(file, load(file)) for file in sorted(FOLDER.glob("*.safetensors"))]
    card = CARD.format(
        recipe=recipe,
        machine=platform.machine(),
        torch=torch.__version__,
        samples=LAST_SAMPLES,
        steps=LAST_STEPS,
        rows="\n".join(rows),
    )
    (FOLDER / "README.md").write_text(card, encoding="utf-8")


def main() -> None:
    """Train what is asked for, then write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(EXPERIMENTS)}")
    names = parser.parse_args().names or list(EXPERIMENTS)
    unknown = sorted(set(names) - set(EXPERIMENTS))
    if unknown:
        parser.error(f"unknown {unknown[0]!r}; known: {', '.join(EXPERIMENTS)}")
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        learn(name, EXPERIMENTS[name])
    write_card()


if __name__ == "__main__":
    main()
