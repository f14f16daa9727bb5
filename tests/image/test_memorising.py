import pytest
import torch
from safetensors.torch import save_file

from fmstudio.image.folder import ImageModel
from fmstudio.image.memorising import (
    find_nearest,
    load_training,
    prepare,
    sample_bytes,
    save_training,
    side_by_side,
)
from fmstudio.image.training.data import ImageSet


@pytest.fixture
def training(tiny_images):
    return prepare(tiny_images)


def test_reach_is_the_distance_to_the_nearest_other_image(training) -> None:
    flat = training.pixels.flatten(1).double() / 255
    apart = (flat[:, None] - flat[None]).square().mean(dim=2).sqrt()
    apart.fill_diagonal_(torch.inf)
    assert torch.allclose(training.reach.double(), apart.min(dim=1).values, atol=1e-6)


def test_a_training_image_with_a_little_noise_is_a_copy_of_it(training) -> None:
    near = (training.pixels[:10].int() + 1).clamp(0, 255).to(torch.uint8)
    found = find_nearest(training, near)
    assert found.index.tolist() == list(range(10))
    assert torch.allclose(found.distance, torch.full((10,), 1 / 255), atol=1e-3)
    assert found.copies.all()


def test_a_picture_of_something_else_is_no_copy(training) -> None:
    noise = torch.randint(0, 256, (20, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    assert not find_nearest(training, noise.to(torch.uint8)).copies.any()


def test_a_copy_is_nearer_to_its_image_than_to_any_other(training) -> None:
    generator = torch.Generator().manual_seed(2)
    shares = torch.rand(48, 1, 1, 1, generator=generator)
    other = training.pixels[torch.randperm(48, generator=generator)]
    mixed = torch.lerp(training.pixels.float(), other.float(), shares).round().to(torch.uint8)
    found = find_nearest(training, mixed)
    flat, known = (images.flatten(1).double() / 255 for images in (mixed, training.pixels))
    apart = (flat[:, None] - known[None]).square().mean(dim=2).sqrt()
    second = apart.topk(2, largest=False).values[:, 1]
    assert 0 < int(found.copies.sum()) < 48
    assert (second[found.copies] > found.distance[found.copies]).all()


def test_a_left_out_image_is_compared_with_the_others_alone(tiny_images) -> None:
    found = prepare(tiny_images)
    for left in range(48):
        rest = torch.arange(48) != left
        others = ImageSet(tiny_images.pixels[rest], tiny_images.labels[rest], tiny_images.class_names)
        alone = find_nearest(prepare(others), tiny_images.pixels[left : left + 1])
        assert float(alone.ratio) == pytest.approx(float(found.left_out[left]), rel=1e-4)


def test_identical_images_count_as_one(tiny_images) -> None:
    twice = ImageSet(
        torch.cat([tiny_images.pixels, tiny_images.pixels]),
        torch.cat([tiny_images.labels, tiny_images.labels]),
        tiny_images.class_names,
    )
    assert torch.allclose(prepare(twice).reach[:48], prepare(tiny_images).reach)


def test_training_images_survive_their_file(training, tmp_path) -> None:
    save_training(tmp_path / "training.safetensors", training)
    read = load_training(tmp_path / "training.safetensors")
    for name in ("pixels", "labels", "reach", "left_out"):
        assert torch.equal(getattr(read, name), getattr(training, name))


def test_a_file_of_something_else_is_answered_with_what_to_do(training, tmp_path) -> None:
    save_file({"pixels": training.pixels}, tmp_path / "training.safetensors")
    with pytest.raises(ValueError, match="Make it again"):
        load_training(tmp_path / "training.safetensors")


def test_real_images_that_have_a_twin_count_as_copies(training) -> None:
    twins = (training.pixels[:12].int() + 1).clamp(0, 255).to(torch.uint8)
    pixels = torch.cat([training.pixels, twins])
    labels = torch.cat([training.labels, training.labels[:12]])
    with_twins = prepare(ImageSet(pixels, labels, ("top", "middle", "bottom")))
    assert training.real_share == 0
    assert with_twins.real_share == pytest.approx(24 / 60)


def test_samples_stand_above_their_nearest_images(training, tiny_net, tiny_images) -> None:
    images = sample_bytes(ImageModel(tiny_net, tiny_images.class_names), 5, 2, 1.0, 0, bf16=False)
    found = find_nearest(training, images)
    picture = side_by_side(training, images, found)
    assert picture.shape == (1, 16, 40)
    assert torch.equal(picture[:, :8, 8:16], images[1])
    assert torch.equal(picture[:, 8:, 8:16], training.pixels[found.index[1]])
    with pytest.raises(ValueError, match="shape"):
        find_nearest(training, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
