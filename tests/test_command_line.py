"""``python -m fmstudio``: files in, files out, one sentence where the input is at fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fmstudio.__main__ import main
from fmstudio.learn import clouds
from fmstudio.learn.experiment import Experiment

TINY = {"particles": 40, "frames": 4, "train_steps": 40, "width": 16, "depth": 1, "fourier": 4, "batch": 64}


def experiment_file(folder: Path, **fields: object) -> str:
    file = folder / "experiment.json"
    file.write_text(json.dumps(TINY | fields), "utf-8")
    return str(file)


def test_train_then_sample_the_net(tmp_path: Path) -> None:
    given = experiment_file(tmp_path)
    assert main(["train", given, "--out", str(tmp_path / "run")]) == 0
    report = json.loads((tmp_path / "run" / "train.json").read_text("utf-8"))
    assert report["step"] == 40
    net = str(tmp_path / "run" / "net.safetensors")
    assert main(["sample", given, "--out", str(tmp_path / "run"), "--net", net]) == 0
    assert np.load(tmp_path / "run" / "samples.npy").shape == (40, 2)
    assert json.loads((tmp_path / "run" / "sample.json").read_text("utf-8"))["field"] == "net"


def test_images(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"steps": [2], "count": 1, "label": 3}), "utf-8")
    assert main(["images", str(file), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "steps-02-00.png").exists()


def test_images_of_rows_that_took_as_many_steps_do_not_overwrite_each_other(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"solver": "dopri5", "tolerances": [0.5, 0.4], "count": 1}), "utf-8")
    assert main(["images", str(file), "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


@pytest.mark.parametrize("fields", [{"seed": -1}, {"nonsense": 1}, {"path": "zig-zag", "around": "linear"}])
def test_a_wrong_experiment_is_one_sentence(
    tmp_path: Path, fields: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", experiment_file(tmp_path, **fields), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert next(iter(fields)) in said or "around" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_console_that_lacks_the_letters_of_a_folder_is_no_failure(tmp_path: Path) -> None:
    """As one of Windows in cp1252 lacks Cyrillic; the file begins with a mark, as its editor writes it."""
    given, out = tmp_path / "Версуч.json", tmp_path / "данные ü"
    given.write_bytes(b"\xef\xbb\xbf" + json.dumps({"steps": [1], "count": 1}).encode())
    done = subprocess.run(
        [sys.executable, "-m", "fmstudio", "images", str(given), "--out", str(out)],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "cp1252:strict"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (out / "images.json").is_file()
    assert b"\\u0434" in done.stdout


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "none.json"), "--out", str(tmp_path)]) == 2
    assert "none.json" in capsys.readouterr().err


def test_the_data_may_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "weights.csv"
    table.write_text(
        "Id;height;mass;sex\n1;1,5;60;f\n2;1,7;NA;m\n3;1,9;90;m\n4;1,6;70;f\n5;1,8;80;f\n", "utf-8"
    )
    given = experiment_file(tmp_path)
    run = ["sample", given, "--out", str(tmp_path), "--points", str(table)]
    assert main([*run, "--choices", '{"x": "mass", "label": "sex"}']) == 0
    said = capsys.readouterr().out
    assert "4 points of weights.csv: x is mass, the class is sex (2 kinds)" in said
    report = json.loads((tmp_path / "sample.json").read_text("utf-8"))
    experiment = Experiment.from_dict(report["experiment"])
    assert experiment.dim == 1
    assert clouds.unpack(experiment.points).names == ("f", "m")
    assert clouds.unpack(experiment.points).note in said
    assert np.load(tmp_path / "samples.npy").shape == (40, 1)
    assert main([*run, "--choices", '{"x": "age"}']) == 2
    assert "weights.csv: There is no column 'age'; the columns are Id, height" in capsys.readouterr().err
