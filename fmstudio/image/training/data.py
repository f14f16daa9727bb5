"""Image sets in memory: Fashion-MNIST's idx files, or any folder of pictures.

Images are kept as bytes and become floating point tensors in [−1, 1] one batch at a time.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from fmstudio.image.picture_size import check_size

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts its files."""

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})

_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def to_unit(pixels: Tensor) -> Tensor:
    """Bytes 0…255 to floating point −1…1: x = pixel / 127.5 − 1.

    Args:
        pixels: uint8 tensor of any shape.
    """
    return pixels.to(torch.float32).div_(127.5).sub_(1.0)


def to_bytes(images: Tensor) -> Tensor:
    """Floating point −1…1 to the nearest byte 0…255; values outside are clipped.

    Args:
        images: floating point tensor of any shape.
    """
    return ((images.float() + 1.0) * 127.5).round().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class ImageSet:
    """Labelled images of one size.

    Args:
        pixels: uint8, shape (count, channels, height, width).
        labels: int64, shape (count,), values 0 … len(class_names) − 1.
        class_names: the name of each label.
    """

    pixels: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4:
            raise ValueError(
                f"Images are uint8 of shape (count, channels, height, width); got {self.pixels.dtype} of"
                f" shape {tuple(self.pixels.shape)}."
            )
        if self.labels.shape != self.pixels.shape[:1]:
            raise ValueError(
                f"Every image has one label: {len(self.pixels)} images, labels of shape"
                f" {tuple(self.labels.shape)}."
            )
        if len(self.labels) == 0:
            raise ValueError("An image set holds at least one image; got none.")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.class_names):
            raise ValueError(
                f"Labels lie in 0 … {len(self.class_names) - 1} (one per class name); got {low} … {high}."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        return (self.pixels.shape[1], self.pixels.shape[2], self.pixels.shape[3])

    def images(self, index: Tensor) -> Tensor:
        """The images at `index` as float32 in [−1, 1], shape (len(index), channels, height, width)."""
        return to_unit(self.pixels[index])


def read_idx(path: Path) -> Tensor:
    """Read one file of LeCun's idx format, plain or gzipped.

    The header is two zero bytes, the type of the numbers, the count of dimensions, then each dimension as a
    big-endian 32-bit integer; the numbers follow, last dimension fastest.

    Args:
        path: the file; a name ending in .gz is unpacked on the way.

    Returns:
        A tensor of the stored type and shape.

    Raises:
        ValueError: the header is not an idx header, or the file is shorter or longer than it says.
    """
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_TYPES:
        raise ValueError(f"{path} is not an idx file: it starts with {raw[:4].hex(' ') or 'nothing'}.")
    kind, rank = np.dtype(_IDX_TYPES[raw[2]]), raw[3]
    start = 4 + 4 * rank
    if len(raw) < start:
        raise ValueError(f"{path} ends inside its header of {start} bytes; it has {len(raw)}.")
    shape = tuple(int(size) for size in np.frombuffer(raw, dtype=">u4", count=rank, offset=4))
    expected = start + kind.itemsize * int(np.prod(shape, dtype=np.int64))
    if len(raw) != expected:
        raise ValueError(f"{path} should have {expected} bytes for shape {shape}; it has {len(raw)}.")
    values = np.frombuffer(raw, dtype=kind, offset=start).reshape(shape)
    return torch.from_numpy(values.astype(kind.newbyteorder("=")))


def fashion_mnist(folder: Path = FASHION_FOLDER, train: bool = True) -> ImageSet:
    """Fashion-MNIST: 60,000 training or 10,000 test images, 28 × 28 grey, ten classes.

    Args:
        folder: where the four idx files are, gzipped or not.
        train: the training set, or the test set.

    Raises:
        FileNotFoundError: a file is missing; the message says how to get the set.

    Source: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747 (MIT licence, © 2017 Zalando SE).
    """
    stem = "train" if train else "t10k"
    pixels = read_idx(_idx_path(folder, f"{stem}-images-idx3-ubyte"))
    labels = read_idx(_idx_path(folder, f"{stem}-labels-idx1-ubyte"))
    return ImageSet(pixels[:, None], labels.long(), FASHION_CLASSES)


def _idx_path(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"No {name}.gz in {folder}. Fashion-MNIST comes with Debian's package dataset-fashion-mnist, or from"
        " github.com/zalandoresearch/fashion-mnist; give the folder of its four files."
    )


def eight_bit(picture: Image.Image) -> Image.Image:
    """The picture with at most 8 bits a channel; Pillow would take all above 255 for white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) // 257).clip(0, 255).astype(np.uint8))


def square_of(picture: Image.Image, size: int, channels: int, backdrop: str = "white") -> Tensor:
    """A picture's central square, upright and resized.

    Args:
        picture: of any size and mode; 16 bits are made 8.
        size: side in pixels, at least 1.
        channels: 1 for grey, 3 for colour.
        backdrop: "white" or "black", what transparent parts are laid on.

    Returns:
        uint8, shape (channels, size, size).
    """
    upright = ImageOps.exif_transpose(picture)
    side = min(upright.size)
    left, top = (upright.width - side) // 2, (upright.height - side) // 2
    square = eight_bit(upright.crop((left, top, left + side, top + side)))
    if "transparency" in square.info or square.mode in ("RGBA", "LA", "PA"):
        solid = square.convert("RGBA")
        square = Image.alpha_composite(Image.new("RGBA", solid.size, backdrop), solid)
    small = square.convert("L" if channels == 1 else "RGB").resize((size, size), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(small)).reshape(size, size, channels)
    return pixels.permute(2, 0, 1).contiguous()


def _open_square(path: Path, size: int, channels: int) -> Tensor:
    with Image.open(path) as picture:
        check_size(picture, 2 * size)
        return square_of(picture, size, channels)


def image_folder(
    folder: Path, size: int, labels_csv: Path | None = None, grey: bool | None = None
) -> ImageSet:
    """Any folder of pictures, with labels from its sub-folders or from a CSV file.

    Pictures are cropped to their central square and resized to size × size; transparent ones are laid on
    white. All of them are held in memory: count × channels × size² bytes.

    Args:
        folder: pictures at any depth. Without a CSV the first sub-folder's name is the label; pictures
            directly in `folder` get the label "all".
        size: side of the square in pixels, at least 1.
        labels_csv: a file with a header and the columns `file` (relative to `folder`) and `label`; only the
            pictures that it lists are read.
        grey: one channel or three; None looks at the pictures: one channel if all of them are grey.

    Raises:
        FileNotFoundError: no picture found, or one that the CSV lists is missing.
        ValueError: the CSV lacks a column, or the size is not positive.
    """
    if size < 1:
        raise ValueError(f"The image size is at least 1 pixel; got {size}.")
    named = _labels_from_csv(folder, labels_csv) if labels_csv is not None else _labels_from_folders(folder)
    if not named:
        raise FileNotFoundError(
            f"No picture in {folder}; looked for {', '.join(sorted(PICTURE_SUFFIXES))} at any depth."
        )
    if grey is None:
        grey = all(_is_grey(path) for path, _ in named)
    pixels = torch.stack([_open_square(path, size, 1 if grey else 3) for path, _ in named])
    class_names = tuple(sorted({label for _, label in named}))
    labels = torch.tensor([class_names.index(label) for _, label in named])
    return ImageSet(pixels, labels, class_names)


def _is_grey(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.mode in ("1", "L", "LA", "I;16", "I", "F")


def _labels_from_folders(folder: Path) -> list[tuple[Path, str]]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    parts = [path.relative_to(folder).parts for path in paths]
    return [(path, part[0] if len(part) > 1 else "all") for path, part in zip(paths, parts, strict=True)]


def _labels_from_csv(folder: Path, labels_csv: Path) -> list[tuple[Path, str]]:
    with labels_csv.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        missing = {"file", "label"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(
                f"{labels_csv} needs a header with the columns file and label; missing: {missing}."
            )
        named = [(folder / row["file"], row["label"]) for row in reader]
    for path, _ in named:
        if not path.is_file():
            raise FileNotFoundError(f"{labels_csv} lists {path}, which does not exist.")
    return named


def load_images(
    path: Path, size: int | None = None, labels_csv: Path | None = None, train: bool = True
) -> ImageSet:
    """The image set at `path`: idx files if it holds Fashion-MNIST's, else a folder of pictures.

    Args:
        path: a folder.
        size: side in pixels; required for pictures, and 28 (or None) for idx files.
        labels_csv: labels of a folder of pictures (see `image_folder`).
        train: which half of the idx files; a folder of pictures has only one.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is not a folder. Give a folder of idx files or of pictures.")
    if any(path.glob("*-idx3-ubyte*")):
        images = fashion_mnist(path, train)
        if size is not None and size != images.shape[1]:
            raise ValueError(
                f"The idx images in {path} are {images.shape[1]} pixels wide; got --size {size}."
            )
        return images
    if size is None:
        raise ValueError("A folder of pictures needs a size in pixels, such as --size 32.")
    return image_folder(path, size, labels_csv)
