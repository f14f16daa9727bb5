"""The studio without a page: ``python -m fmstudio train|sample|images|note EXPERIMENT.json --out FOLDER``.

EXPERIMENT.json holds the fields of an experiment that differ from the defaults; ``-`` stands for the default
experiment. For ``images`` it holds image settings instead. ``--points FILE`` takes the data from a file.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any

from fmstudio.console import print_anything
from fmstudio.learn.experiment import Experiment


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it went well, 2 with one sentence on standard error if the input is at fault."""
    print_anything()
    options = _parser().parse_args(arguments)
    try:
        # Editors on Windows begin a file with a mark.
        given = "{}" if options.experiment == "-" else Path(options.experiment).read_text("utf-8-sig")
        values = json.loads(given)
        if not isinstance(values, dict):
            raise ValueError(f"expected a JSON object of settings; got {type(values).__name__}.")
        values |= _brought(options)
        out = Path(options.out)
        out.mkdir(parents=True, exist_ok=True)
        options.run(values, out, options)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"{options.experiment}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fmstudio", description="The studio without a page.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("train", _train, "train a net: net.safetensors and train.json"),
        ("sample", _sample, "follow a net or the exact velocity: sample.json and samples.npy"),
        ("images", _images, "sample a shipped image model: images.json and a PNG for each image"),
        ("note", _note, "predict and measure the note's claims: JSON and one HTML report"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("experiment", help="a JSON file of settings, or - for the defaults")
        command.add_argument("--out", required=True, help="folder for the results; made if missing")
        command.set_defaults(run=run)
        if name == "sample":
            command.add_argument("--net", help="a checkpoint; without it the exact velocity is followed")
        if name != "images":
            command.add_argument("--points", help="a table, an array or a picture to take the data from")
            command.add_argument(
                "--choices", default="{}", help='of that file, as JSON: {"x": "height", "label": "sex"}'
            )
        if name == "note":
            command.add_argument("--claim", action="append", help="one claim, as C6; may be repeated")
    return parser


def _brought(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of an experiment whose data are the points of a file."""
    if not getattr(options, "points", None):
        return {}
    from fmstudio.learn import jobs

    choices = json.loads(options.choices)
    if not isinstance(choices, dict):
        raise ValueError(f"--choices: expected a JSON object; got {type(choices).__name__}.")
    file = Path(options.points)
    try:
        report = jobs.points_of(file.name, file.read_bytes(), choices)
    except ValueError as error:
        raise ValueError(f"--points {file}: {error}") from error
    for sentence in filter(None, (report["note"], report["warning"])):
        print(sentence)
    return report["experiment"]


def _train(values: dict[str, Any], out: Path, options: argparse.Namespace) -> None:
    from fmstudio.learn import jobs
    from fmstudio.learn.training import checkpoints
    from fmstudio.learn.training.train import Progress

    def show(progress: Progress) -> None:
        floor = "" if progress.excess is None else f"  excess {progress.excess:.4f}"
        print(f"step {progress.step:>6}  loss {progress.loss:.4f}{floor}", flush=True)

    report, checkpoint = jobs.train_net(Experiment.from_dict(values), show)
    checkpoints.save(checkpoint, out / "net.safetensors")
    _write(out / "train.json", report)


def _sample(values: dict[str, Any], out: Path, options: argparse.Namespace) -> None:
    import numpy as np

    from fmstudio.learn import jobs
    from fmstudio.learn.training import checkpoints

    checkpoint = checkpoints.load(Path(options.net)) if options.net else None
    report = jobs.sample(Experiment.from_dict(values), checkpoint)
    np.save(out / "samples.npy", np.asarray(report["samples"], dtype=np.float32))
    _write(out / "sample.json", report)


def _images(values: dict[str, Any], out: Path, options: argparse.Namespace) -> None:
    from fmstudio.image.questions.grid import image_grid
    from fmstudio.image.settings import ImageSettings

    report = image_grid(ImageSettings.from_dict(values))
    for row in report["rows"]:
        made = f"steps-{row['steps']:02d}" if row["tolerance"] is None else f"tolerance-{row['tolerance']:g}"
        for place, image in enumerate(row["images"]):
            (out / f"{made}-{place:02d}.png").write_bytes(base64.b64decode(image))
    _write(out / "images.json", report)


def _note(values: dict[str, Any], out: Path, options: argparse.Namespace) -> None:
    from fmstudio.note import CLAIMS
    from fmstudio.note.report import make_report, to_json
    from fmstudio.plots.svg.page import page_html

    names: list[str] = []

    def show(share: float, name: str) -> None:
        if name not in names[-1:]:
            names.append(name)
            print(f"{share:4.0%}  {name}", flush=True)

    wanted = tuple(options.claim or CLAIMS)
    experiment = Experiment.from_dict(values)
    report = make_report(experiment, wanted, with_lineage=set(wanted) == set(CLAIMS), progress=show)
    for name, text in (("note.json", to_json(report)), ("note.html", page_html(report))):
        (out / name).write_text(text, encoding="utf-8")
        print(f"wrote {out / name}")


def _write(file: Path, report: dict[str, Any]) -> None:
    file.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(f"wrote {file}")


if __name__ == "__main__":
    sys.exit(main())
