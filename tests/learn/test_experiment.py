"""The experiment: every field survives JSON and the query string, and every bound is refused by name."""

import json
import math
from dataclasses import fields
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmstudio.learn.experiment import Experiment, domain

CALM = settings(deadline=None, derandomize=True)
FIELDS = {f.name: f for f in fields(Experiment)}
NUMBERS = [name for name in FIELDS if "low" in domain(name)]
CHOICES = [name for name in FIELDS if "options" in domain(name)]
TEXTS = [name for name in FIELDS if "longest" in domain(name)]
TRUTHS = [name for name in FIELDS if FIELDS[name].type == "bool"]


def values_of(name: str) -> st.SearchStrategy:
    limits = domain(name)
    if "options" in limits:
        return st.sampled_from(limits["options"])
    if "longest" in limits:
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=min(limits["longest"], 60))
    if FIELDS[name].type == "bool":
        return st.booleans()
    if FIELDS[name].type == "int":
        return st.integers(limits["low"], limits["high"])
    return st.floats(limits["low"], limits["high"])


CHANGES = st.fixed_dictionaries({}, optional={name: values_of(name) for name in FIELDS}).filter(
    lambda changes: (changes.get("path"), changes.get("around")) != ("zig-zag", "linear")
)


def test_every_field_has_a_domain() -> None:
    assert set(NUMBERS) | set(CHOICES) | set(TEXTS) | set(TRUTHS) == set(FIELDS)


def test_defaults_are_in_their_domains_and_need_no_query() -> None:
    assert Experiment().changes() == {}
    assert Experiment().to_query() == ""
    assert Experiment.from_query("") == Experiment()
    assert Experiment.from_json("{}") == Experiment()


@CALM
@given(CHANGES)
def test_json_round_trip(changes) -> None:
    experiment = Experiment(**changes)
    again = Experiment.from_json(experiment.to_json())
    assert again == experiment
    assert [type(x) for x in again.to_dict().values()] == [type(x) for x in experiment.to_dict().values()]
    assert again.to_json() == experiment.to_json()


@CALM
@given(CHANGES, st.sampled_from(["", "?"]))
def test_query_round_trip(changes, mark) -> None:
    experiment = Experiment(**changes)
    assert Experiment.from_query(mark + experiment.to_query()) == experiment


@CALM
@given(CHANGES)
def test_query_holds_only_what_differs(changes) -> None:
    experiment = Experiment(**changes)
    named = dict(parse_qsl(experiment.to_query(), keep_blank_values=True))
    assert set(named) == {name for name in FIELDS if getattr(experiment, name) != FIELDS[name].default}


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_are_allowed_and_beyond_them_refused_by_name(name) -> None:
    low, high = domain(name)["low"], domain(name)["high"]
    for value in (low, high):
        assert getattr(Experiment().but(**{name: value}), name) == value
        assert getattr(Experiment().but(**{name: str(value)}), name) == value
    step = 1 if FIELDS[name].type == "int" else 1e-6
    for value in (low - step, high + step, math.nan, math.inf, -math.inf, "1e999", 10**400):
        with pytest.raises(ValueError, match=rf"^{name}: expected a number in \[.*\]; got "):
            Experiment().but(**{name: value})
    for value in ("many", "", None, [1], {}, "1,5"):
        with pytest.raises(ValueError, match=rf"^{name}: expected a number"):
            Experiment().but(**{name: value})
    with pytest.raises(ValueError, match=rf"^{name}: expected a number"):
        Experiment().but(**{name: True})


@pytest.mark.parametrize("name", [name for name in NUMBERS if FIELDS[name].type == "int"])
def test_whole_numbers_stay_whole(name) -> None:
    middle = int(domain(name)["low"]) + 1
    kept = getattr(Experiment().but(**{name: float(middle)}), name)
    assert kept == middle
    assert type(kept) is int
    with pytest.raises(ValueError, match=rf"^{name}: expected a whole number; got {middle}.5"):
        Experiment().but(**{name: middle + 0.5})


@pytest.mark.parametrize("name", CHOICES)
def test_options_are_allowed_and_others_refused_by_name(name) -> None:
    for option in domain(name)["options"]:
        around = {"around": "spherical"} if name != "around" else {}
        assert getattr(Experiment().but(**{name: option, **around}), name) == option
    for value in ("none of these", "", None, 3, ["v"]):
        with pytest.raises(ValueError, match=rf"^{name}: expected one of {domain(name)['options'][0]}"):
            Experiment().but(**{name: value})


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_bounded_by_name(name) -> None:
    longest = domain(name)["longest"]
    assert getattr(Experiment().but(**{name: "x" * longest}), name) == "x" * longest
    for value in ("x" * (longest + 1), None, 3, ["x"]):
        with pytest.raises(ValueError, match=rf"^{name}: expected a text of at most {longest} characters"):
            Experiment().but(**{name: value})
    with pytest.raises(ValueError, match=rf"^{name}: the text holds half a character"):
        Experiment().but(**{name: "\ud800"})


@pytest.mark.parametrize("name", TRUTHS)
def test_truths(name) -> None:
    for value in (True, "True", "true", "1", 1):
        assert getattr(Experiment().but(**{name: value}), name) is True
    for value in (False, "False", "false", "0", 0):
        assert getattr(Experiment().but(**{name: value}), name) is False
    for value in ("yes", "", None, 2, "TRUE "):
        with pytest.raises(ValueError, match=rf"^{name}: expected true or false"):
            Experiment().but(**{name: value})


@pytest.mark.parametrize("name", FIELDS)
def test_odd_values_are_refused_by_name_in_a_short_sentence(name) -> None:
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    odd = [
        None,
        [],
        [1],
        {},
        {"a": [None]},
        deep,
        -(10**5_000),
        [10**5_000],
        object(),
        "9" * 5_000 + "x",
        2 + 3j,
    ]
    for value in [value for value in odd if not (name in TEXTS and isinstance(value, str))]:
        with pytest.raises(ValueError, match=rf"^{name}: expected") as refused:
            Experiment.from_dict({name: value})
        assert len(str(refused.value)) < 260


def test_unknown_fields_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Unknown field 3 in the experiment"):
        Experiment.from_dict({3: 1, None: 2})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="Unknown field 'colour' in the experiment"):
        Experiment.from_dict({"colour": "red"})
    with pytest.raises(ValueError, match="Unknown field 'colour'"):
        Experiment.from_query("?colour=red&seed=1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"seed": ' + "9" * 5_000 + "}", "^seed: expected a number in .*; got inf"),
        ('{"data": ' + "9" * 5_000 + "}", "^data: expected one of"),
        ('{"conditional": {"a": [' + "9" * 5_000 + "]}}", "^conditional: expected true or false"),
        ("[]", "JSON object of fields; got list"),
        ("3", "JSON object of fields; got float"),
        ("null", "got NoneType"),
        ('{"seed": NaN}', "^seed: expected a number in"),
        ('{"seed": 1e400}', "^seed: expected a number in"),
        ('{"seed": [1]}', "^seed: expected a number"),
        ('{"data": "\\ud800"}', "^data: expected one of"),
        ('{"word": "\\ud800"}', "^word: the text holds half"),
    ],
    ids=lambda x: repr(x[:16]),
)
def test_broken_json_is_refused(text, words) -> None:
    with pytest.raises(ValueError, match=words):
        Experiment.from_json(text)


@CALM
@given(st.text(max_size=200))
def test_any_json_text_is_an_experiment_or_a_value_error(text) -> None:
    try:
        experiment = Experiment.from_json(text)
    except ValueError:
        return
    assert isinstance(experiment, Experiment)


@CALM
@given(
    st.dictionaries(
        st.sampled_from(sorted(FIELDS)),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
            st.lists,
            max_leaves=3,
        ),
        max_size=3,
    )
)
def test_any_value_is_taken_or_refused_with_its_name(values) -> None:
    try:
        experiment = Experiment.from_dict(values)
    except ValueError as error:
        # Hypothesis reports the values if the message names none of them.
        named = str(error).split(":")[0]
    else:
        named = None
        json.loads(experiment.to_json())
    assert named is None or named in values


def test_zig_zag_goes_around_a_diffusion() -> None:
    with pytest.raises(ValueError, match="around: the zig-zag chain goes around"):
        Experiment(path="zig-zag", around="linear")


@pytest.mark.parametrize(
    ("changes", "dim"),
    [
        ({}, 2),
        ({"data": "line mixture"}, 1),
        ({"data": "points", "points": "1Pabc"}, 1),
        ({"data": "points", "points": "2Pabc"}, 2),
        ({"data": "points", "points": ""}, 2),
        ({"data": "moons", "points": "1Pabc"}, 2),
    ],
)
def test_dimension(changes, dim) -> None:
    assert Experiment(**changes).dim == dim
