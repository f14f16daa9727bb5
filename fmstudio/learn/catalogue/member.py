"""A member of a family: its name in JSON and in links, and with it all that the studio knows of it.

A family is a dictionary of its members by name. Whoever offers, shows, builds or checks members reads it, so
an entry is all that a new one needs. What takes no number of the experiment is no :class:`Member` but the
object itself: solvers (``flow.solve.tableaux.SOLVERS``), targets (``flow.regress.objectives.TARGETS``) and
time laws (``flow.regress.time_laws.TIME_LAWS``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from fmstudio.learn.fields import Fields

T_co = TypeVar("T_co", covariant=True)
M = TypeVar("M", bound="Member[object]")


@dataclass(frozen=True)
class Member(Generic[T_co]):
    """A choice that an experiment may name.

    Args:
        name: in JSON, in links and on the command line.
        make: the object of the mathematics, from the experiment's numbers.
        fields: the fields that belong to it: they are shown with it.
        label: what the page calls it where its name would puzzle or be too long.
    """

    name: str
    make: Callable[[Fields], T_co]
    fields: tuple[str, ...] = ()
    label: str = ""


def family(*members: M) -> dict[str, M]:
    """The members by their names, in this order."""
    return {member.name: member for member in members}


def fields_in(members: Mapping[str, Member[object]]) -> tuple[str, ...]:
    """The fields that belong to some member of a family, each once, in the family's order."""
    return tuple(dict.fromkeys(field for member in members.values() for field in member.fields))
