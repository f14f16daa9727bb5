import base64
import json

import pytest

from fmstudio.image.models import backbone
from fmstudio.image.questions.grid import image_grid
from fmstudio.image.sampling.sampling import AdaptivePlan, FixedPlan
from fmstudio.image.settings import ImageSettings, parse_steps


def test_settings_survive_json() -> None:
    given = ImageSettings(solver="heun", steps=(3,), shift=2.0, label=4, tolerances=(0.2,), bf16=False)
    assert ImageSettings.from_dict(json.loads(json.dumps(given.to_dict()))) == given


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "../secret"}, "model: expected one of"),
        ({"solver": "magic"}, "solver: expected one of"),
        ({"steps": []}, "steps: expected 1 to 8"),
        ({"steps": [0]}, r"steps: expected a whole number in \[1, 128\]"),
        ({"steps": [2.5]}, "steps: expected a whole number"),
        ({"steps": "16"}, "steps: expected 1 to 8"),
        ({"shift": 0}, "shift: expected a number"),
        ({"shift": float("nan")}, "shift: expected a number"),
        ({"guidance": "much"}, "guidance: expected a number"),
        ({"guidance": True}, "guidance: expected a number"),
        ({"tolerances": [1e-9]}, "tolerance: expected a number"),
        ({"label": -3}, "label: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"count": 65}, "count: expected a whole number"),
        ({"bf16": "yes"}, "bf16: expected true or false"),
        ({"colour": 1}, "Unknown image setting"),
    ],
)
def test_wrong_settings_are_answered_with_a_sentence(values, message) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSettings.from_dict(values)


def test_rows_are_steps_or_tolerances() -> None:
    assert ImageSettings(steps=(2, 5), shift=3.0).plans() == [
        FixedPlan(2, shift=3.0),
        FixedPlan(5, shift=3.0),
    ]
    assert ImageSettings(solver="dopri5", tolerances=(0.1,)).plans() == [AdaptivePlan(0.1)]


def test_labels_are_all_in_turn_one_or_none() -> None:
    model = backbone("fashion-rf1")
    assert ImageSettings(count=12).labels(model).tolist() == [*range(10), 0, 1]
    assert ImageSettings(label=3, count=2).labels(model).tolist() == [3, 3]
    assert ImageSettings(label=-2, count=2).labels(model).tolist() == [10, 10]
    with pytest.raises(ValueError, match="label: expected −2 … 9"):
        ImageSettings(label=10).labels(model)


def test_a_grid_as_json_has_every_row() -> None:
    answer = image_grid(
        ImageSettings.from_dict({"solver": "dopri5", "tolerances": [0.5], "count": 1, "label": 8})
    )
    (row,) = answer["rows"]
    assert row["tolerance"] == 0.5
    assert row["nfe"] > row["steps"]
    assert base64.b64decode(row["images"][0]).startswith(b"\x89PNG")
    answer = image_grid(ImageSettings.from_dict({"solver": "midpoint", "steps": [2], "shift": 3, "count": 1}))
    assert answer["rows"][0]["nfe"] == 4
    assert answer["rows"][0]["tolerance"] is None
    json.dumps(answer)


def test_typed_lists_take_blanks_and_commas() -> None:
    assert parse_steps(" 1,2;  4 ") == (1, 2, 4)
    with pytest.raises(ValueError, match="expected 1 to 8"):
        parse_steps("  ")
