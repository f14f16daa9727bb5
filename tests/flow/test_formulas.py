"""Formulas: they mean what Python's arithmetic means, differentiate as torch does, and run nothing."""

import math
import re
import threading
from typing import NamedTuple

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fmstudio.flow.formulas import custom as formulas
from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.formulas.grammar import DEEPEST, LONGEST, Formula
from fmstudio.learn.experiment import domain

CALM = settings(deadline=None, derandomize=True)


class Expression(NamedTuple):
    """A formula's text beside two other readings of it: by Python's math, and by torch."""

    text: str
    python: object
    torch: object


def leaf_number(value: float) -> Expression:
    return Expression(repr(value), lambda t: value, lambda t: torch.full_like(t, value))


LEAVES = st.one_of(
    st.just(Expression("t", lambda t: t, lambda t: t)),
    st.just(Expression("pi", lambda t: math.pi, lambda t: torch.full_like(t, math.pi))),
    st.just(Expression("π", lambda t: math.pi, lambda t: torch.full_like(t, math.pi))),
    st.just(Expression("e", lambda t: math.e, lambda t: torch.full_like(t, math.e))),
    st.integers(0, 9).map(float).map(leaf_number),
    st.floats(0.01, 9.0).map(lambda x: round(x, 3)).map(leaf_number),
)
SIGNS = {
    "+": (lambda x, y: x + y, ("+", " + ")),
    "-": (lambda x, y: x - y, ("-", " − ")),
    "*": (lambda x, y: x * y, ("*", "×", " · ")),
    "/": (lambda x, y: x / y, ("/", " ÷ ")),
}
FUNCTIONS = {
    "sin": (math.sin, torch.sin),
    "cos": (math.cos, torch.cos),
    "tan": (math.tan, torch.tan),
    "exp": (math.exp, torch.exp),
    "log": (math.log, torch.log),
    "sqrt": (math.sqrt, torch.sqrt),
    "tanh": (math.tanh, torch.tanh),
    "abs": (abs, torch.abs),
}


def in_bounds(value: float) -> float:
    """Rounding stays comparable only while no part is huge."""
    if not (math.isfinite(value) and abs(value) <= 1e3):
        raise OverflowError
    return value


@st.composite
def joined(draw, parts) -> Expression:
    x, y = draw(parts), draw(parts)
    sign = draw(st.sampled_from(list(SIGNS)))
    rule, spellings = SIGNS[sign]
    return Expression(
        f"({x.text}{draw(st.sampled_from(spellings))}{y.text})",
        lambda t: in_bounds(rule(x.python(t), y.python(t))),
        lambda t: rule(x.torch(t), y.torch(t)),
    )


@st.composite
def called(draw, parts) -> Expression:
    x = draw(parts)
    name = draw(st.sampled_from(list(FUNCTIONS)))
    python, tensor = FUNCTIONS[name]
    return Expression(
        f"{name}({x.text})", lambda t: in_bounds(python(x.python(t))), lambda t: tensor(x.torch(t))
    )


@st.composite
def powered(draw, parts) -> Expression:
    x, n = draw(parts), draw(st.sampled_from([2, 3, 0.5, -1, 1.5]))
    return Expression(
        f"({x.text}){draw(st.sampled_from(['^', '**', ' ** ']))}({n})",
        lambda t: in_bounds(math.pow(x.python(t), n)),
        lambda t: x.torch(t) ** n,
    )


@st.composite
def chosen(draw, parts) -> Expression:
    xs = draw(st.lists(parts, min_size=2, max_size=3))
    largest = draw(st.booleans())

    def tensor(t):
        best = xs[0].torch(t)
        for x in xs[1:]:
            best = (torch.maximum if largest else torch.minimum)(best, x.torch(t))
        return best

    pick = max if largest else min
    return Expression(
        f"{'max' if largest else 'min'}({', '.join(x.text for x in xs)})",
        lambda t: pick(x.python(t) for x in xs),
        tensor,
    )


@st.composite
def negated(draw, parts) -> Expression:
    x = draw(parts)
    return Expression(
        f"{draw(st.sampled_from('-−'))}({x.text})", lambda t: -x.python(t), lambda t: -x.torch(t)
    )


EXPRESSIONS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(joined(parts), called(parts), powered(parts), chosen(parts), negated(parts)),
    max_leaves=8,
)


@pytest.mark.slow
@CALM
@given(EXPRESSIONS, st.floats(0.02, 0.98))
def test_value_is_that_of_python(expression, t) -> None:
    assume(len(expression.text) <= LONGEST)
    try:
        expected = float(expression.python(t))
    except (ValueError, OverflowError, ZeroDivisionError):
        assume(False)
    value, slope = Formula(expression.text).at(torch.tensor(t, dtype=torch.float64))
    assert slope.shape == ()
    assert math.isclose(float(value), expected, rel_tol=1e-9, abs_tol=1e-6)


@CALM
@given(EXPRESSIONS)
def test_derivative_is_that_of_autograd(expression) -> None:
    assume(len(expression.text) <= LONGEST)
    t = torch.linspace(0.03, 0.97, 7, dtype=torch.float64).requires_grad_()
    value = expression.torch(t)
    expected = torch.autograd.grad(value.sum(), t)[0] if value.requires_grad else torch.zeros_like(t)
    ours, slope = Formula(expression.text).at(t.detach())
    known = value.isfinite() & expected.isfinite() & slope.isfinite()
    assert (slope.isfinite() | ~expected.isfinite() | ~value.isfinite()).all()
    torch.testing.assert_close(ours[known], value.detach()[known], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope[known], expected[known], rtol=1e-9, atol=1e-9)


@CALM
@given(EXPRESSIONS)
def test_code_gives_the_same_numbers(expression) -> None:
    assume(len(expression.text) <= LONGEST)
    formula = Formula(expression.text)
    t = torch.linspace(0.03, 0.97, 7, dtype=torch.float64)
    value = eval(formula.code(), {"torch": torch, "float": float}, {"t": t})
    torch.testing.assert_close(
        torch.as_tensor(value, dtype=torch.float64).expand(7),
        formula.at(t)[0],
        rtol=1e-9,
        atol=1e-9,
        equal_nan=True,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-t^2", -0.25),
        ("2^3^2", 512.0),
        ("2^-1", 0.5),
        ("1 - 2 - 3", -4.0),
        ("1 − 2 * t − 3", -3.0),
        ("8 / 4 / 2", 1.0),
        ("8 ÷ 4 × 2", 4.0),
        ("--t", 0.5),
        ("+t", 0.5),
        (".5 + 1. + 1e-1 + 2E1", 21.6),
        ("  t\n+\tt ", 1.0),
        ("min(3, t, 2) + max(1, 2)", 2.5),
        ("π·t", math.pi / 2),
        ("2*e", 2 * math.e),
    ],
)
def test_precedence_and_spelling(text, expected) -> None:
    value, _ = Formula(text).at(torch.tensor(0.5, dtype=torch.float64))
    assert math.isclose(float(value), expected, rel_tol=1e-15)


AS_TYPED = [
    ("2t", "2*t"),
    ("sin(pi t/2)", "sin(pi*t/2)"),
    ("ln(1+t)", "log(1+t)"),
    ("cos²(pi*t/2)", "cos(pi*t/2)^2"),
    ("cos²(πt/2)", "cos(pi*t/2)^2"),
    ("cos^2(πt/2)", "cos(pi*t/2)^2"),
    ("cos**2 (pi*t/2)", "cos(pi*t/2)^2"),
    ("√t", "sqrt(t)"),
    ("√(1−t)", "sqrt(1-t)"),
    ("√2t", "sqrt(2)*t"),
    ("√t³", "sqrt(t)^3"),
    ("T", "t"),
    ("PI", "pi"),
    ("SIN(Pi T/2)", "sin(pi*t/2)"),
    ("0,5*t", "0.5*t"),
    ("(1-t)^1,5", "(1-t)^1.5"),
    ("1,5e-1t", "0.15*t"),
    ("½t", "0.5*t"),
    ("1 – t", "1-t"),
    ("t²", "t^2"),
    ("t⁻¹²", "t^(-12)"),
    ("(1-t)(1+t)", "(1-t)*(1+t)"),
    ("t(1-t)", "t*(1-t)"),
    ("2πt", "2*pi*t"),
    ("pit", "pi*t"),
    ("t sin(t)", "t*sin(t)"),
    ("2e", "2*e"),
    ("2|1-2t|", "2*abs(1-2*t)"),
    ("|t|-|t-|t²||", "abs(t)-abs(t-abs(t^2))"),
    ("tg(t)", "tan(t)"),
    ("min(0,5; t)", "min(0.5, t)"),
    ("max(0,2t-1)", "max(0, 2*t-1)"),
    ("max((0,5), t)", "max(0.5, t)"),
    ("𝑡⋅𝜋", "t*pi"),
    ("t²(1-t)", "t^2*(1-t)"),
    ("1-(2-t)", "1-(2-t)"),
    ("1-2-t", "1-2-t"),
    ("t*(-t)", "t*(-t)"),
    ("-t²", "-t^2"),
    ("(-t)²", "(-t)^2"),
    ("2^3^t", "2^(3^t)"),
]


@pytest.mark.parametrize(("typed", "normal"), AS_TYPED)
def test_what_people_type_is_read_and_shown_in_normal_form(typed, normal) -> None:
    formula = Formula(typed)
    assert formula.normal() == normal
    at = torch.tensor([0.3, 0.8], dtype=torch.float64)
    names = {name: getattr(math, name) for name in ("pi", "e", "sin", "cos", "tan", "log", "sqrt")}
    names |= {"abs": abs, "min": min, "max": max}
    for t, value in zip(at.tolist(), formula.at(at)[0].tolist(), strict=True):
        assert math.isclose(value, eval(normal.replace("^", "**"), {**names, "t": t}), rel_tol=1e-14)


@CALM
@given(EXPRESSIONS)
def test_the_normal_form_reads_back_as_the_same_formula(expression) -> None:
    assume(len(expression.text) <= LONGEST)
    formula = Formula(expression.text)
    assume(len(formula.normal()) <= LONGEST)
    assert Formula(formula.normal()).tree == formula.tree


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("2 3", "Write \\* or \\^ before the number 3"),
        ("(1-t)2", "Write \\* or \\^ before the number 2"),
        ("t2", r"'t2' is not allowed .* Write a power as t\^2"),
        ("1/2t", r"two ways; write t/\(2\*pi\) or t/2\*pi"),
        ("t/2(1-t)", "two ways"),
        ("e^-5t", r"ends in 5t, which can be read in two ways; write e\^\(-5\*t\)"),
        ("sin^-1(t)", r"Write 1/sin\(t\)"),
        ("sin⁻¹(t)", r"Write 1/sin\(t\)"),
        ("max(0,2*t,1)", "comma between digits a decimal point"),
        ("1,234,5", "two decimal commas"),
        ("t, 2", "A comma separates"),
        ("t; 2", "A comma separates"),
        ("|t", "Cannot read"),
        ("sin", r"sin is a function; write sin\(t\)"),
        ("sin t", r"sin is a function; write sin\(t\)"),
        ("sint", r"sin is a function; write sin\(t\)"),
        ("(t", "Cannot read"),
        ("t)", "Cannot read"),
        ("t +", "Cannot read"),
        ("min(t)", "min takes 2 to 8"),
        ("sin(t, t)", "sin takes 1"),
        ("sin()", "sin takes 1"),
        ("sin(*t)", "Cannot read .* after '\\(' comes '\\*'"),
        ("sin(**t)", "Cannot read"),
        ("1e999", "too large"),
        ("x", "'x' is not allowed in a formula; it may use t, pi, e and sin"),
        ("t // 2", "Cannot read .* after '/' comes '/'"),
        ("t % 2", "'%' is not allowed"),
        ("ｔ", "not allowed"),
        ("٣*t", "not allowed"),
        ("t" * 201, "at most 200 characters; got 201"),
    ],
)
def test_mistakes_are_explained(text, words) -> None:
    with pytest.raises(ValueError, match=words):
        Formula(text)


HOSTILE = [
    "__import__('os').system('true')",
    "t.__class__",
    "t.real",
    "().__class__.__bases__[0].__subclasses__()",
    "lambda: t",
    "lambda t: t",
    "[t for t in (1, 2)]",
    "{t}",
    "{t: t}",
    "t[0]",
    "'t'",
    'f"{t}"',
    "b't'",
    "t if t else t",
    "t and t",
    "not t",
    "t < 1",
    "t := 1",
    "t = 1",
    "(t := 1)",
    "await t",
    "yield t",
    "exec(t)",
    "eval(t)",
    "open(t)",
    "print(t)",
    "abs(x=t)",
    "min(*(t, t))",
    "t; t",
    "import os",
    "None",
    "True",
    "...",
    "1j*t",
    "0x10",
    "1_000",
    "~t",
    "t @ t",
    "t | t",
    "t # comment",
    "t \\\n",
    "t\0",
    "\ud800",
    "\u202et",
    "−x",
    "NEGATE(t)",
    "negate(t)",
    "−x(t)",
    "(" * 10_000,
    "(" * 10_000 + "t" + ")" * 10_000,
    "-" * 10_000 + "t",
    "9" * 10_000,
    "t**" * 3_000 + "t",
    "-" * (DEEPEST + 50) + "t",
    "sin" * 60 + "(t)",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:24]))
def test_hostile_text_is_refused(text) -> None:
    with pytest.raises(ValueError):
        Formula(text)


@pytest.mark.parametrize("text", ["9**9**9**9**9", "(9**9**9)**t", "t**9**9**9", "exp(exp(exp(9*t)))", "1/0"])
def test_huge_powers_cost_nothing_and_are_no_path(text) -> None:
    Formula(text).at(torch.linspace(0, 1, 1_000))
    with pytest.raises(ValueError, match=r"b\(|b\(t\)"):
        Custom("1 - t", text)


@pytest.mark.slow
@settings(CALM, max_examples=300)
@given(
    st.one_of(
        st.text(max_size=60),
        st.text(alphabet="t()+-*/^.,e0123456789 sincox_'[]:=", max_size=60),
        st.lists(
            st.sampled_from(
                ["t", "(", ")", "+", "-", "*", "**", "/", ",", "sin", "min", "1", "2.5", " ", "if"]
            ),
            max_size=40,
        ).map("".join),
    )
)
@example("\n")
@example("1if t else 2")
@example("t.e")
@example("1.t")
def test_any_text_is_a_formula_or_a_value_error(text) -> None:
    try:
        formula = Formula(text)
    except ValueError:
        return
    value, slope = formula.at(torch.linspace(0, 1, 5))
    assert value.shape == slope.shape == (5,)


def test_nesting_to_the_limits_works() -> None:
    assert float(Formula("(" * 90 + "t" + ")" * 90).at(torch.tensor(0.25))[0]) == 0.25
    assert float(Formula("-" * DEEPEST + "t").at(torch.tensor(0.25))[0]) == 0.25
    assert float(Formula("t+" * (DEEPEST - 1) + "t").at(torch.tensor(1.0))[0]) == DEEPEST


# The path of one's own.


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("(1-t)**2 + t/4", "t", r"a\(1\) must be 0; your formula gives 0.25 at t = 1"),
        ("1 + 0*t", "t", r"a\(1\) must be 0; your formula gives 1 at t = 1"),
        ("0.5 - t/2", "t", r"a\(0\) must be 1; your formula gives 0.5 at t = 0"),
        ("1 - t", "t/2", r"b\(1\) must be 1; your formula gives 0.5 at t = 1"),
        ("1 - t", "1", r"b\(0\) must be 0; your formula gives 1 at t = 0"),
        ("1 - t", "sin(t)/t - 1", r"b\(0\) must be 0; your formula gives no finite value at t = 0"),
        ("1 - t", "log(t) + 1", r"b\(0\) must be 0; your formula gives no finite value at t = 0"),
        ("1 - t", "t + 1/(2*t - 1) + 1 - 2*t", r"b\(t\) must be finite .* gives inf at t = 0.5"),
        ("1 - t", "t*sqrt((1-2*t)*(1-3*t)/2)", r"b\(t\) must be finite .* gives nan at t = 0.33"),
        ("1 - t", "t + 0*abs(t - 0.5)**0.5", r"derivative of b\(t\) must be finite .* at t = 0.5"),
        ("1 - t", "t*(4*t - 3)", r"b\(t\) must be above 0 .* gives -0.0005\d* at t = 0.000198"),
        ("1 - t", "t*(3*t-1)^2/4", r"b\(t\) must be above 0 .* at t = 0.33"),
        ("1 - t", "sin(3*pi*t/2)^2", r"b\(t\) must be above 0 .* at t = 0.66"),
        ("1 - 2t", "t", r"a\(1\) must be 0; your formula gives -1 at t = 1"),
        ("1 - t2", "t", r"a\(t\): 't2' is not allowed"),
        ("1 - t", "x", r"b\(t\): 'x' is not allowed"),
    ],
)
def test_what_is_no_path_is_told_which_value_it_has_where(a, b, words) -> None:
    with pytest.raises(ValueError, match=words):
        Custom(a, b)


SUGGESTED = [
    (("exp(-5*t)", "t"), ("(exp(-5*t)-exp(-5))/(1-exp(-5))", "t")),
    (("cos(t)", "t"), ("(cos(t)-cos(1))/(1-cos(1))", "t")),
    (("t", "t"), ("(t-1)/(-1)", "t")),
    (("1/(1+9t)", "t"), ("(1/(1+9*t)-0.1)/0.9", "t")),
    (("1-t", "tanh(3t)"), ("1-t", "tanh(3*t)/tanh(3)")),
    (("1-t", "ln(1+t)"), ("1-t", "log(1+t)/log(2)")),
    (("1-t", "e^t"), ("1-t", "(e^t-1)/(e-1)")),
    (("1-t", "1-t"), ("1-t", "(1-t-1)/(-1)")),
]


@pytest.mark.parametrize(("given", "fitted"), SUGGESTED)
def test_a_refused_end_value_comes_with_a_formula_that_fits(given, fitted) -> None:
    better = fitted[0] if given[0] != fitted[0] else fitted[1]
    with pytest.raises(ValueError, match=re.escape(f"Take {better}, which fits both ends.")):
        Custom(*given)
    ends = Custom(*fitted).at(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert ends.a.tolist() == [1, 0]
    assert ends.b.tolist() == [0, 1]
    # The rule itself: f moved and stretched.
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    k = int(given[0] == fitted[0])
    f, moved = (Formula(pair[k]).at(t)[0] for pair in (given, fitted))
    zero, one = (f[0], f[-1]) if k else (f[-1], f[0])
    torch.testing.assert_close(moved, (f - zero) / (one - zero), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1-t", "1"),  # f(0) = f(1)
        ("1-t", "log(t)+1"),  # infinite at an end
        ("1-t", "sin(5*t)"),  # what comes out is not above 0
        ("1-t", "2*sqrt(1-t)"),  # infinitely fast
        ("1-t", "+".join(f"{k}.25*sin({k}*t)" for k in range(1, 9))),  # too long to be kept
    ],
)
def test_no_formula_is_suggested_that_would_be_refused(a, b) -> None:
    with pytest.raises(ValueError, match=r"b\([01]\) must be") as refused:
        Custom(a, b)
    assert "Take" not in str(refused.value)


def test_a_suggestion_is_as_long_as_an_experiment_keeps() -> None:
    assert domain("formula_a")["longest"] == formulas.SUGGESTED


@pytest.mark.parametrize(
    ("b", "at_0", "at_1"),
    [
        ("t", 1.0, 1.0),
        ("sqrt(t)", math.inf, 0.5),
        ("t*sqrt(t)", 0.0, 1.5),
        ("sqrt(t^3)", 0.0, 1.5),
        ("t**1.5", 0.0, 1.5),
        ("min(t, 1)", 1.0, 1.0),
        ("max(t, t^2)", 1.0, 1.0),
        ("abs(t)", 1.0, 1.0),
        ("sqrt(1 - cos(pi*t/2))", math.pi / math.sqrt(8), math.pi / 4),
        ("tan(pi*t/4)", math.pi / 4, math.pi / 2),
    ],
)
def test_derivatives_at_the_ends_are_limits(b, at_0, at_1) -> None:
    c = Custom("1 - t", b).at(torch.tensor([0.0, 1.0]))
    assert c.b.tolist() == [0.0, 1.0]
    assert c.a.tolist() == [1.0, 0.0]
    torch.testing.assert_close(c.db.tolist(), [at_0, at_1], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [("sqrt(1-t)", "t", "a(t) must be finite at t = 1"), ("1-sqrt(t)", "t", "a(t) must be finite at t = 0"),
     ("1-t", "1-sqrt(1-t)", "b(t) must be finite at t = 1")],
)  # fmt: skip
def test_paths_that_are_infinitely_fast_are_refused(a, b, where) -> None:
    with pytest.raises(ValueError, match=re.escape(where)):
        Custom(a, b)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("shape", [(), (5,)])
def test_derivatives_where_recording_is_off(mode, shape) -> None:
    with mode():
        t = torch.full(shape, 0.3)
        c = Custom("1 - t^2", "t^3").at(t)
        torch.testing.assert_close(c.da, torch.full(shape, -0.6))
        torch.testing.assert_close(c.db, torch.full(shape, 0.27))


def test_several_threads_at_once() -> None:
    path, t = Custom(), torch.linspace(0, 1, 50)
    expected, wrong = path.at(t), []

    def work():
        for _ in range(30):
            c = path.at(t)
            if not (torch.equal(c.db, expected.db) and torch.equal(c.a, expected.a)):
                wrong.append(c)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_float32_values_are_those_of_float64_rounded() -> None:
    t = torch.linspace(0, 1, 101)
    low, high = Custom().at(t), Custom().at(t.double())
    for name in ("a", "b", "da", "db"):
        assert getattr(low, name).dtype == torch.float32
        torch.testing.assert_close(getattr(low, name), getattr(high, name).float(), rtol=0, atol=0)


def test_equal_text_is_the_equal_path() -> None:
    assert Custom() == Custom()
    assert hash(Custom()) == hash(Custom())
    assert Custom() != Custom(b="t")
