from dataclasses import replace

import pytest
import torch

from fmstudio.flow.solve.tableaux import SOLVERS
from fmstudio.image.models import backbone
from fmstudio.image.progress import Progress
from fmstudio.image.questions.gallery import settings_in
from fmstudio.image.questions.xy import AXES, DEFAULT_VALUES, XYGrid, read_axis, xy_grid
from fmstudio.image.sampling.field import draw_noise
from fmstudio.image.sampling.sampling import FixedPlan
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_bytes

MODEL = "fashion-rf1"
SETTINGS = ImageSettings(steps=(2,), label=3, seed=5, bf16=False)


def finished(x, y, settings=SETTINGS) -> XYGrid:
    return [event for event in xy_grid(settings, x, y) if isinstance(event, XYGrid)][-1]


def alone(settings: ImageSettings) -> torch.Tensor:
    model = backbone(MODEL)
    field = settings.field(model, torch.tensor([settings.label]))
    noise = draw_noise((1, 1, 28, 28), settings.seed)
    plan = FixedPlan(settings.steps[0], SOLVERS[settings.solver], settings.shift)
    *_, last = plan.run(field, noise)
    return to_bytes(last.x[0])


@pytest.mark.parametrize(
    ("x", "xs", "y", "ys"),
    [
        ("steps", "1 3", "solver", "euler heun"),
        ("guidance", "1 2", "class", "Bag, Ankle boot"),
        ("shift", "0.5 3", "seed", "0 9"),
    ],
)
def test_every_cell_is_the_image_of_its_own_settings(x, xs, y, ys) -> None:
    grid = finished(read_axis(x, xs, MODEL), read_axis(y, ys, MODEL))
    assert sorted(grid.cells) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for (row, column), image in grid.cells.items():
        gap = image.int() - alone(grid.at(row, column)).int()
        assert gap.abs().max() <= 1


@pytest.mark.parametrize("name", AXES)
def test_what_stands_in_the_box_can_be_read(name) -> None:
    axis = read_axis(name, DEFAULT_VALUES[name], MODEL)
    assert 1 < len(axis.labels) <= 10
    for change in axis.settings:
        assert isinstance(change(SETTINGS), ImageSettings)


def test_classes_are_read_by_name_number_or_all() -> None:
    assert read_axis("class", "ankle boot, 3", MODEL).labels == ("Ankle boot", "Dress")
    assert read_axis("class", "9 3", MODEL).labels == ("Ankle boot", "Dress")
    assert len(read_axis("class", "All", MODEL).labels) == 10


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("steps", "0", "steps: expected a whole number"),
        ("steps", "", "1 to 10 values"),
        ("seed", "1 2 3 4 5 6 7 8 9 10 11", "1 to 10 values"),
        ("class", "Hat", "class: expected a number below 10"),
        ("solver", "dopri5", "solver: expected one of"),
        ("guidance", "lots", "guidance: expected a number"),
        ("colour", "red", "axis: expected one of"),
    ],
)
def test_wrong_values_are_answered_with_a_sentence(name, text, message) -> None:
    with pytest.raises(ValueError, match=message):
        read_axis(name, text, MODEL)


def test_one_setting_cannot_be_on_both_sides() -> None:
    axis = read_axis("seed", "1 2", MODEL)
    with pytest.raises(ValueError, match="Both sides are seed"):
        next(xy_grid(SETTINGS, axis, axis))
    with pytest.raises(ValueError, match="dopri5"):
        next(xy_grid(replace(SETTINGS, solver="dopri5"), axis, read_axis("class", "1", MODEL)))


def test_cells_that_differ_in_class_and_seed_share_one_batch() -> None:
    calls = []
    hook = backbone(MODEL).net.register_forward_hook(lambda *_: calls.append(1))
    events = list(xy_grid(SETTINGS, read_axis("class", "all", MODEL), read_axis("seed", "1 2", MODEL)))
    hook.remove()
    assert len(calls) == 2
    shares = [event.share for event in events if isinstance(event, Progress)]
    assert shares[-1] == pytest.approx(1.0)


def test_pictures_carry_the_settings_of_their_cell() -> None:
    grid = finished(read_axis("class", "1 2", MODEL), read_axis("seed", "7", MODEL))
    inside = settings_in(grid.pictures()[1].png())
    assert inside["label"] == 2
    assert inside["seed"] == 7
    assert [rows.shape for rows in grid.sheet()] == [(2, 1, 28, 28)]
