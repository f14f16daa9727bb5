"""The catalogue: a member is one entry, and whatever reads a family finds one that was added from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

from fmstudio.flow.regress.objectives import Target
from fmstudio.learn import jobs
from fmstudio.learn.build import coupling_of, density_of, oracle_of, path_of, source_of
from fmstudio.learn.catalogue.member import Member
from fmstudio.learn.experiment import FAMILIES, PATHS, Experiment, domain
from fmstudio.learn.fields import Fields, Part, fields_of
from fmstudio.learn.nets.fitting import check, edited, read_link
from fmstudio.learn.nets.shipped import problem, same_velocity, shipped
from tests.flow.every import every_coupling, every_path, every_shape
from tests.learn.toys import NAMES, ByOrder, Ease, cross, toys_in_the_catalogue

PARTS: tuple[Part, ...] = ("data", "source", "path", "coupling", "network", "training", "sampling", "view")
EVERY_TOY = list(NAMES.items())


@pytest.fixture
def toys() -> Iterator[None]:
    with toys_in_the_catalogue():
        yield


@pytest.mark.parametrize(("field", "name"), EVERY_TOY)
def test_a_member_from_outside_is_taken_in_json_and_in_a_link(toys: None, field: str, name: str) -> None:
    experiment = Experiment.from_dict({field: name})
    assert domain(field)["options"][-1] == name
    assert Experiment.from_json(experiment.to_json()) == experiment
    assert Experiment.from_query(experiment.to_query()) == experiment
    assert read_link({field: name}) == (experiment, [])
    check(experiment)


@pytest.mark.parametrize(("field", "name"), EVERY_TOY)
def test_what_is_not_in_the_catalogue_is_refused(field: str, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: expected one of .*; got '{name}'"):
        Experiment.from_dict({field: name})
    _, notes = read_link({field: name})
    assert [note.name for note in notes] == [field]


def test_members_from_outside_are_built_with_the_experiment_s_numbers(toys: None) -> None:
    experiment = Experiment(**{name: NAMES[name] for name in ("data", "source", "path")}, strength=1.0)
    assert path_of(experiment) == Ease(0.25)
    assert density_of(experiment).classes == 2
    assert len(source_of(experiment).means) == 4
    assert oracle_of(experiment).path == Ease(0.25)
    assert isinstance(coupling_of(Experiment(coupling=NAMES["coupling"])), ByOrder)


def test_the_tests_of_every_member_find_those_from_outside(toys: None) -> None:
    assert Ease(0.125) in every_path()
    assert every_shape()[NAMES["data"]] is cross
    assert ByOrder() in every_coupling()


def test_an_experiment_of_toys_alone_is_drawn_trained_and_sampled(toys: None) -> None:
    small = {"train_steps": 3, "batch": 32, "width": 16, "depth": 1, "data_points": 200, "particles": 20}
    experiment = Experiment(**NAMES, **small, sample_steps=2, frames=3)
    drawn = jobs.trajectories(experiment)
    assert drawn["smooth"]
    assert len(drawn["positions"]) == 3
    report, net = jobs.train_net(experiment)
    assert report["step"] == 3
    assert report["experiment"] == experiment.to_dict()
    sampled = jobs.sample(experiment, net)
    assert sampled["field"] == "net"
    assert sampled["nfe"] == 2 * 2


def test_the_fields_of_a_member_are_part_of_its_problem(toys: None) -> None:
    toy = Experiment(path=NAMES["path"])
    assert not same_velocity(toy, toy.but(strength=1.0))
    assert same_velocity(toy, toy.but(bend=1.0))
    assert problem(toy.but(data=NAMES["data"])).keys() >= {"data_noise", "strength"}
    assert shipped(toy) is None


def test_a_path_that_goes_around_another_says_around_which(toys: None) -> None:
    around = PATHS["zig-zag"].around
    assert around == ("spherical", "variance preserving")
    experiment, _ = edited(Experiment(path="latent", around="linear"), "path", "zig-zag")
    assert (experiment.path, experiment.around) == ("zig-zag", around[0])


def test_every_member_stands_under_its_name() -> None:
    every = [item for members in FAMILIES.values() for item in members.items()]
    named = [(name, member.name) for name, member in every if isinstance(member, Member | Target)]
    assert len(named) > 25
    assert all(name == own for name, own in named)


def test_every_field_has_one_part() -> None:
    by_part = [fields_of(part) for part in PARTS]
    assert sorted(name for names in by_part for name in names) == sorted(f.name for f in fields(Fields))
    assert all(by_part)
    assert fields_of(*PARTS) == tuple(f.name for f in fields(Fields))


def test_the_fields_of_every_member_are_of_its_family_s_part() -> None:
    for family, part in (("data", "data"), ("path", "path"), ("coupling", "coupling")):
        for member in FAMILIES[family].values():
            assert isinstance(member, Member)
            assert set(member.fields) <= set(fields_of(part)), member.name


def test_only_keeps_what_is_asked_for() -> None:
    experiment = Experiment(data="moons", seed=5, particles=100, path="bow")
    assert experiment.only(fields_of("data")) == Experiment(data="moons", seed=5)
