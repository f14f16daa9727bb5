import pytest
import torch

from fmstudio.image.folder import ImageModel
from fmstudio.image.reflow import join_pairs, load_pairs, make_pairs, save_pairs
from fmstudio.image.sampling.field import GuidedField
from fmstudio.image.sampling.sampling import sample


@pytest.fixture
def teacher(tiny_net):
    return ImageModel(tiny_net, ("top", "middle", "bottom"))


def test_the_teacher_carries_each_noise_to_its_image(teacher) -> None:
    for pairs in make_pairs(teacher, 10, 3, seed=2, batch=4):
        made = sample(GuidedField(teacher.net, pairs.labels), pairs.x1.float(), 3)
        assert torch.equal(made.half(), pairs.x0)


def test_pairs_come_in_batches_up_to_the_count(teacher) -> None:
    parts = list(make_pairs(teacher, 10, 1, batch=4))
    assert [len(part) for part in parts] == [4, 4, 2]
    again = list(make_pairs(teacher, 10, 1, batch=4))
    assert torch.equal(join_pairs(parts).x1, join_pairs(again).x1)
    assert not torch.equal(parts[0].x1, parts[1].x1)
    with pytest.raises(ValueError, match="at least one pair"):
        next(make_pairs(teacher, 0, 1))


def test_saved_pairs_are_read_back(teacher, tmp_path) -> None:
    pairs = join_pairs(list(make_pairs(teacher, 5, 1)))
    save_pairs(tmp_path / "pairs.safetensors", pairs)
    read = load_pairs(tmp_path / "pairs.safetensors")
    assert read.class_names == pairs.class_names
    assert all(torch.equal(getattr(read, name), getattr(pairs, name)) for name in ("x0", "x1", "labels"))
