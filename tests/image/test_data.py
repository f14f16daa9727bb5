import gzip
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from fmstudio.image.training.data import (
    FASHION_CLASSES,
    FASHION_FOLDER,
    ImageSet,
    fashion_mnist,
    image_folder,
    load_images,
    read_idx,
    square_of,
    to_bytes,
    to_unit,
)


def idx_bytes(code: int, shape: tuple[int, ...], payload: bytes) -> bytes:
    return struct.pack(">BBBB", 0, 0, code, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + payload


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_with_shape_and_order(tmp_path, packed) -> None:
    raw = idx_bytes(0x08, (2, 3), bytes(range(6)))
    path = tmp_path / ("some.gz" if packed else "some")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert torch.equal(read_idx(path), torch.arange(6, dtype=torch.uint8).reshape(2, 3))


def test_idx_numbers_are_big_endian(tmp_path) -> None:
    (tmp_path / "ints").write_bytes(idx_bytes(0x0C, (2,), struct.pack(">2i", 258, -1)))
    assert read_idx(tmp_path / "ints").tolist() == [258, -1]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"PK\x03\x04", "not an idx file"),
        (b"", "not an idx file"),
        (idx_bytes(0x08, (2, 3), bytes(5)), "should have 18 bytes"),
        (idx_bytes(0x08, (2, 3), bytes(7)), "should have 18 bytes"),
        (idx_bytes(0x08, (2, 3), b"")[:7], "ends inside its header"),
    ],
)
def test_broken_idx_files_are_refused(tmp_path, raw, message) -> None:
    (tmp_path / "broken").write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "broken")


def test_fashion_mnist_is_read_from_its_four_files(tmp_path) -> None:
    for stem, count in (("train", 4), ("t10k", 2)):
        images = idx_bytes(0x08, (count, 28, 28), bytes([count]) * (count * 784))
        (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(0x08, (count,), bytes(range(count))))
    train, test = load_images(tmp_path), load_images(tmp_path, train=False)
    assert train.shape == (1, 28, 28)
    assert train.labels.tolist() == [0, 1, 2, 3]
    assert len(test) == 2
    assert int(test.pixels.max()) == 2
    with pytest.raises(ValueError, match="28 pixels wide"):
        load_images(tmp_path, size=32)


def test_a_missing_fashion_file_says_where_the_set_comes_from(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        fashion_mnist(tmp_path)


@pytest.mark.skipif(not FASHION_FOLDER.is_dir(), reason="needs the package dataset-fashion-mnist")
def test_the_installed_fashion_mnist_has_ten_equal_classes() -> None:
    test = fashion_mnist(train=False)
    assert test.pixels.shape == (10_000, 1, 28, 28)
    assert test.class_names == FASHION_CLASSES
    assert test.labels.bincount().tolist() == [1000] * 10


def test_every_byte_survives_the_way_to_unit_range_and_back() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    unit = to_unit(every)
    assert unit.min() == -1
    assert unit.max() == 1
    assert torch.equal(to_bytes(unit), every)
    assert to_bytes(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def picture(path, colour, mode="RGB", size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def test_a_folder_takes_labels_from_its_sub_folders(tmp_path) -> None:
    picture(tmp_path / "cats" / "a.png", (255, 0, 0))
    picture(tmp_path / "cats" / "deep" / "b.png", (0, 255, 0))
    picture(tmp_path / "dogs" / "c.png", (0, 0, 255))
    (tmp_path / "dogs" / "notes.txt").write_text("not a picture")
    images = image_folder(tmp_path, 4)
    assert images.class_names == ("cats", "dogs")
    assert images.labels.tolist() == [0, 0, 1]
    assert images.shape == (3, 4, 4)
    assert images.pixels[:, :, 2, 2].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_a_folder_takes_labels_from_a_csv(tmp_path) -> None:
    picture(tmp_path / "a.png", 10, "L")
    picture(tmp_path / "b.png", 20, "L")
    (tmp_path / "labels.csv").write_text("file,label\nb.png,warm\na.png,cold\n")
    images = load_images(tmp_path, 2, tmp_path / "labels.csv")
    assert images.class_names == ("cold", "warm")
    assert images.labels.tolist() == [1, 0]
    assert images.shape == (1, 2, 2)
    assert images.pixels[:, 0, 0, 0].tolist() == [20, 10]


def test_transparent_pictures_lie_on_white(tmp_path) -> None:
    picture(tmp_path / "clear.png", (0, 0, 0, 0), "RGBA")
    assert image_folder(tmp_path, 2).pixels.unique().tolist() == [255]


def test_pictures_of_sixteen_bits_keep_their_greys(tmp_path) -> None:
    values = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(values).save(tmp_path / "deep.png")
    made = square_of(Image.open(tmp_path / "deep.png"), 16, 1)
    assert torch.equal(made.flatten(), torch.arange(256, dtype=torch.uint8))


def test_pictures_stand_upright(tmp_path) -> None:
    lying = Image.new("L", (20, 20), 0)
    lying.paste(255, (0, 0, 10, 20))  # its left half is white
    tag = Image.Exif()
    tag[274] = 6  # to be turned clockwise by a quarter
    lying.save(tmp_path / "lying.png", exif=tag)
    made = square_of(Image.open(tmp_path / "lying.png"), 20, 1)
    assert made[0, :10].min() == 255
    assert made[0, 10:].max() == 0


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGB", "RGBA", "CMYK", "I", "F", "HSV"])
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3)])
def test_pictures_of_any_mode_and_size_are_taken(mode, size) -> None:
    assert square_of(Image.new("RGB", size, "white").convert(mode), 8, 3).shape == (3, 8, 8)


def test_pictures_are_cropped_to_their_centre(tmp_path) -> None:
    wide = Image.new("L", (30, 10), 0)
    wide.paste(200, (10, 0, 20, 10))
    wide.save(tmp_path / "wide.png")
    assert image_folder(tmp_path, 10).pixels.unique().tolist() == [200]


def test_folder_errors_say_what_is_missing(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="No picture"):
        image_folder(tmp_path, 8)
    with pytest.raises(ValueError, match="needs a size"):
        load_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="not a folder"):
        load_images(tmp_path / "nowhere", 8)
    (tmp_path / "labels.csv").write_text("name,label\n")
    with pytest.raises(ValueError, match="columns file and label"):
        image_folder(tmp_path, 8, tmp_path / "labels.csv")
    (tmp_path / "labels.csv").write_text("file,label\ngone.png,a\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        image_folder(tmp_path, 8, tmp_path / "labels.csv")


def test_an_image_set_checks_itself() -> None:
    pixels, labels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="uint8"):
        ImageSet(pixels.float(), labels, ("a", "b"))
    with pytest.raises(ValueError, match="one label"):
        ImageSet(pixels, labels[:1], ("a", "b"))
    with pytest.raises(ValueError, match="Labels lie"):
        ImageSet(pixels, labels, ("a",))
