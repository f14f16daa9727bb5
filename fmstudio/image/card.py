"""What is known of a trained model: its titles, its introduction and its figures, in MODEL/card.json.

Numbers stand in the file once. MODEL/README.md is prose around them: between the lines

    <!-- figures 1 -->
    <!-- /figures 1 -->

stands the first table of figures, written by :func:`render`; `python -m fmstudio.image.evaluate --card`
measures a table, keeps it and writes the card anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FILE_NAME = "card.json"

Value = tuple[float, ...]
"""The mean over seeds and, with more than one, the standard deviation between them."""


@dataclass(frozen=True)
class Figure:
    """What one set of images scores.

    Args:
        distance: Fréchet distance in the classifier's features.
        accuracy: share of images whose class is the one that was asked for.
        recall: share of real images within reach of a generated one.
    """

    distance: Value
    accuracy: Value
    recall: Value


@dataclass(frozen=True)
class Row:
    """The figures at one guidance and number of Euler steps."""

    guidance: float
    steps: int
    figure: Figure


@dataclass(frozen=True)
class Table:
    """Figures measured together.

    Args:
        model: the folder's name; a card may show another model's figures beside its own.
        count: samples of each row.
        seeds: of their noise.
        precision: of the network's products.
        real: what as many real images score in the place of samples, or None.
        rows: the figures.
    """

    model: str
    count: int
    seeds: tuple[int, ...]
    precision: str
    real: Figure | None
    rows: tuple[Row, ...]

    @property
    def command(self) -> str:
        """What prints the table."""
        guidances = " ".join(f"{w:g}" for w in dict.fromkeys(row.guidance for row in self.rows))
        steps = " ".join(str(n) for n in dict.fromkeys(row.steps for row in self.rows))
        seeds = "" if self.seeds == (0,) else f" --seeds {' '.join(map(str, self.seeds))}"
        return (
            f"python -m fmstudio.image.evaluate models/{self.model} --guidance {guidances} --steps {steps} "
            f"--count {self.count}{seeds}"
        )

    def markdown(self) -> str:
        """How it was measured, the table, and the command."""
        seeds = f"one seed ({self.seeds[0]})"
        if len(self.seeds) > 1:
            seeds = f"seeds {', '.join(map(str, self.seeds))}, mean ± standard deviation between them"
        lines = [
            f"{self.count:,} samples a cell, {seeds}, {self.precision}:",
            "",
            *header(),
            *([line("real images", "", self.real)] if self.real else []),
            *(line(f"{row.guidance:g}", str(row.steps), row.figure) for row in self.rows),
            "",
            f"Printed by `{self.command}`.",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Card:
    """A model's card.

    Args:
        title: one line.
        short_title: what a column of the page is headed, such as "1-RF".
        introduction: what the model is, in a sentence or three.
        tables: its figures, the ones that count most first.
    """

    title: str
    short_title: str
    introduction: str = ""
    tables: tuple[Table, ...] = ()

    def distances(self, model: str) -> list[tuple[float, int, float]]:
        """(guidance, Euler steps, FD) of the model's own tables; of what is measured twice, the first."""
        found: dict[tuple[float, int], float] = {}
        for table in self.tables:
            for row in table.rows if table.model == model else ():
                found.setdefault((row.guidance, row.steps), row.figure.distance[0])
        return [(w, n, fd) for (w, n), fd in sorted(found.items())]

    def with_table(self, table: Table) -> Card:
        """The card with a table in place of one of the same model, count and guidances, else at its end."""

        def key(t: Table) -> tuple[object, ...]:
            return t.model, t.count, {row.guidance for row in t.rows}

        kept = [table if key(other) == key(table) else other for other in self.tables]
        return replace(self, tables=tuple(kept if table in kept else [*kept, table]))


def header() -> tuple[str, str]:
    """The first two lines of a table of figures."""
    return (
        "| guidance | Euler steps | FD (own features) | accuracy | recall |",
        "| --- | --- | --- | --- | --- |",
    )


def line(first: str, second: str, figure: Figure) -> str:
    """A line of a table of figures."""

    def cell(value: Value) -> str:
        return " ± ".join(f"{number:.3f}" for number in value)

    cells = [first, second, cell(figure.distance), cell(figure.accuracy), cell(figure.recall)]
    return f"| {' | '.join(cells)} |"


def load_card(folder: Path) -> Card | None:
    """The card of a model's folder, or None where there is none.

    Raises:
        ValueError: the file is not a card.
    """
    file = Path(folder) / FILE_NAME
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        tables = [
            Table(
                **t | {
                    "seeds": tuple(t["seeds"]),
                    "real": t["real"] and _figure(t["real"]),
                    "rows": tuple(Row(**row | {"figure": _figure(row["figure"])}) for row in t["rows"]),
                }
            )
            for t in values["tables"]
        ]  # fmt: skip
        return Card(**values | {"tables": tuple(tables)})
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file} is not a model's card: {error!r}.") from error


def _figure(values: dict[str, Sequence[float]]) -> Figure:
    return Figure(**{name: tuple(numbers) for name, numbers in values.items()})


def save_card(folder: Path, card: Card) -> None:
    """Write a card, and its tables into the README.md beside it, where there is one."""
    folder = Path(folder)
    text = json.dumps(asdict(card), ensure_ascii=False, indent=1) + "\n"
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    readme = folder / "README.md"
    if readme.is_file():
        readme.write_text(render(readme.read_text(encoding="utf-8"), card), encoding="utf-8")


def render(text: str, card: Card) -> str:
    """A README with the card's tables between their marks; a table without a mark is left to the file.

    Raises:
        ValueError: a mark for a table that the card does not have.
    """

    def block(match: re.Match[str]) -> str:
        number = int(match[1])
        if not 1 <= number <= len(card.tables):
            raise ValueError(f"Table {number} is marked; the card has {len(card.tables)}.")
        return f"<!-- figures {number} -->\n{card.tables[number - 1].markdown()}\n<!-- /figures {number} -->"

    return re.sub(r"<!-- figures (\d+) -->\n.*?<!-- /figures \1 -->", block, text, flags=re.DOTALL)
