"""Make a folder of emoji pictures, one sub-folder a category: ``python scripts/emoji_images.py OUT``.

The pictures are Google's Noto Emoji at 64 pixels as the npm package emoji-datasource-google holds them
(images Apache-2.0; the country flags among them are in the public domain or otherwise exempt). The package,
74 MB, is fetched with ``npm pack``, or read from a file that is already there (``--package``).

Each picture is laid on white and keeps its short name, so OUT/Food & Drink/pizza.png; OUT/labels.csv lists
all of them. Skin-tone variants are left out (nearly the same picture five times over), and so is the
category of the five bare skin tones.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from PIL import Image

PACKAGE = "emoji-datasource-google@16.0.0"
SIDE = 64


def fetch(folder: Path) -> Path:
    """Let npm download the package into ``folder``."""
    subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True)
    return next(folder.glob("*.tgz"))


def extract(package: Path, out: Path) -> list[tuple[str, str]]:
    """Write every emoji of the package below ``out``; returns (file, category) pairs."""
    with tarfile.open(package) as archive:
        pictures = {
            Path(member.name).name: member
            for member in archive.getmembers()
            if member.name.startswith(f"package/img/google/{SIDE}/")
        }
        described = _read(archive, archive.getmember("package/emoji.json"))
        written: list[tuple[str, str]] = []
        for emoji in json.loads(described):
            if not emoji["has_img_google"] or emoji["category"] == "Component":
                continue
            category, name = emoji["category"], emoji["short_name"].replace("/", "-")
            path = out / category / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn = Image.open(io.BytesIO(_read(archive, pictures[emoji["image"]]))).convert("RGBA")
            white = Image.new("RGBA", drawn.size, "white")
            Image.alpha_composite(white, drawn).convert("RGB").save(path)
            written.append((f"{category}/{name}.png", category))
    return written


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise FileNotFoundError(f"{member.name} in the package is not a file.")
    return file.read()


def main() -> None:
    """The command line: fetch if need be, extract, list."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path, help="folder to write the pictures to")
    parser.add_argument("--package", type=Path, help="the package's .tgz, if it is already here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        written = extract(options.package or fetch(Path(folder)), options.out)
    with (options.out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "label"), *sorted(written)])
    print(f"{len(written)} pictures in {options.out}")


if __name__ == "__main__":
    main()
