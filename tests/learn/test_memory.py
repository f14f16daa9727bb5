"""The estimates of memory are above what runs take, and not by much."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.memory import FIXED, of_images, of_paths, of_sampling, of_training

PEAK = """
import re, sys
from pathlib import Path
from fmstudio.learn import jobs
from fmstudio.learn.experiment import Experiment
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
experiment = Experiment.from_json(sys.argv[2])
before = peak()
getattr(jobs, sys.argv[1])(experiment)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the peak")
@pytest.mark.parametrize(
    ("job", "estimate", "given"),
    [
        ("train_net", of_training, {"width": 256, "depth": 4, "batch": 2048, "train_steps": 2}),
        ("sample", of_sampling, {"particles": 4_000, "sample_steps": 60, "frames": 40}),
        ("trajectories", of_paths, {"particles": 2_000, "frames": 60}),
    ],
)
def test_an_estimate_is_above_the_peak(job: str, estimate: object, given: dict[str, int]) -> None:
    experiment = Experiment.from_dict(given)
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, job, experiment.to_json()], capture_output=True, text=True, check=True
    )
    peak, told = float(ran.stdout), estimate(experiment)  # type: ignore[operator]
    assert peak < told < 3 * peak + 2 * FIXED


def test_more_of_anything_takes_more() -> None:
    usual = Experiment()
    assert of_training(usual.but(width=512)) > of_training(usual) > FIXED
    assert of_training(usual.but(batch=8192)) > of_training(usual)
    assert of_training(usual.but(coupling="optimal transport", coupling_batch=1024)) > of_training(usual)
    assert of_sampling(usual.but(particles=20_000)) > of_sampling(usual) > FIXED
    assert of_paths(usual.but(frames=200)) > of_paths(usual) > FIXED
    assert of_images(64, 8) > of_images(64, 1) > of_images(1, 1)
