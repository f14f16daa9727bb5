"""Cards: the figures stand once, in JSON, and what is shown of them follows."""

import json

import pytest

from fmstudio.folders import MODELS
from fmstudio.image.card import Card, Figure, Row, Table, load_card, render, save_card
from fmstudio.image.models import backbone_names, repository_models

FIGURE = Figure((0.5, 0.01), (0.9, 0.02), (0.6, 0.03))
TABLE = Table("tiny", 1_000, (0, 1), "float32", None, (Row(1.0, 1, FIGURE), Row(1.5, 2, FIGURE)))


@pytest.mark.parametrize("name", backbone_names())
def test_a_shipped_readme_shows_what_its_card_says(name) -> None:
    card, readme = load_card(MODELS / name), (MODELS / name / "README.md").read_text("utf-8")
    assert card is not None
    assert render(readme, card) == readme
    assert [f"<!-- figures {k + 1} -->" in readme for k in range(len(card.tables))] == [True] * len(
        card.tables
    )
    assert f"# {card.title}\n" in readme
    assert card.introduction in " ".join(readme.split())


def test_a_card_survives_its_file_and_its_readme_follows(tmp_path) -> None:
    (tmp_path / "README.md").write_text(
        "# Tiny\n\n<!-- figures 1 -->\nold\n<!-- /figures 1 -->\n\nThe end.\n"
    )
    card = Card("Tiny", "T", "A model.", (TABLE,))
    save_card(tmp_path, card)
    assert load_card(tmp_path) == card
    text = (tmp_path / "README.md").read_text()
    assert "| 1.5 | 2 | 0.500 ± 0.010 | 0.900 ± 0.020 | 0.600 ± 0.030 |" in text
    assert "--guidance 1 1.5 --steps 1 2 --count 1000 --seeds 0 1`" in text
    assert "old" not in text
    assert text.endswith("The end.\n")


def test_a_table_measured_again_takes_the_place_of_the_old_one() -> None:
    better = Table("tiny", 1_000, (0,), "bfloat16", None, (Row(1.0, 4, FIGURE), Row(1.5, 4, FIGURE)))
    card = Card("Tiny", "T", tables=(TABLE,))
    assert card.with_table(better).tables == (better,)
    other = Table("tiny", 2_000, (0,), "bfloat16", None, (Row(1.0, 1, FIGURE),))
    assert card.with_table(other).tables == (TABLE, other)


def test_of_what_is_measured_twice_the_first_counts_and_other_models_do_not() -> None:
    again = Table("tiny", 100, (0,), "float32", None, (Row(1.0, 1, Figure((9.0,), (0.1,), (0.1,))),))
    foreign = Table("other", 100, (0,), "float32", None, (Row(1.0, 16, FIGURE),))
    card = Card("Tiny", "T", tables=(TABLE, again, foreign))
    assert card.distances("tiny") == [(1.0, 1, 0.5), (1.5, 2, 0.5)]


def test_what_is_no_card_is_refused_in_a_sentence(tmp_path) -> None:
    assert load_card(tmp_path) is None
    for text in ("{", "[]", json.dumps({"title": "x"}), json.dumps({"title": 1, "tables": [{}]})):
        (tmp_path / "card.json").write_text(text)
        with pytest.raises(ValueError, match="is not a model's card"):
            load_card(tmp_path)
    with pytest.raises(ValueError, match="Table 3 is marked; the card has 1"):
        render("<!-- figures 3 -->\n<!-- /figures 3 -->", Card("Tiny", "T", tables=(TABLE,)))


def test_the_page_heads_columns_by_the_cards() -> None:
    entries = {entry.name: entry.card.short_title for entry in repository_models().entries()}
    assert entries["fashion-rf2"] == "2-RF"
    assert entries["fashion-one"] == "student"
