"""Exported code of the path, of what the net predicts, and of the way from a prediction to a velocity."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fmstudio.flow.custom_path import Custom
from fmstudio.flow.formulas import Formula
from fmstudio.flow.objectives import training_times
from fmstudio.flow.paths import Latent, Path, ZigZag
from fmstudio.learn.batches import Problem
from fmstudio.learn.experiment import Experiment


@dataclass(frozen=True)
class Terms:
    """How the terms of one path are written.

    Args:
        turns: whether its coefficients are complex numbers that turn the plane.
        latent: whether it carries z.
    """

    turns: bool
    latent: bool

    @staticmethod
    def of(path: Path) -> Terms:
        """The terms of a path."""
        return Terms(path.at(torch.tensor(0.5)).a.is_complex(), path.has_latent)

    @property
    def names(self) -> str:
        """What ``coefficients`` returns."""
        return "a, b, gamma, da, db, dgamma" if self.latent else "a, b, da, db"

    def times(self, c: str, x: str) -> str:
        """A coefficient times a point."""
        return f"act({c}, {x})" if self.turns else f"{c} * {x}"

    def over(self, x: str, c: str) -> str:
        """A point, or a sum of points, divided by a coefficient."""
        return f"act(1 / {c}, {x})" if self.turns else f"({x}) / {c}"

    @property
    def sigma(self) -> str:
        """The standard deviation of x_t given x0 under N(0, I) noise."""
        if self.latent:
            return "(b**2 + gamma**2).sqrt()"
        return "b.abs()" if self.turns else "b"


_COEFFICIENTS = {
    "linear": (
        "The straight path x_t = (1 - t) x0 + t x1.",
        "a, b = 1 - t, t\nda, db = -torch.ones_like(t), torch.ones_like(t)",
    ),
    "spherical": (
        "The arc x_t = cos(pi t / 2) x0 + sin(pi t / 2) x1.",
        "a, b = torch.cos(math.pi / 2 * t), torch.sin(math.pi / 2 * t)\n"
        "da, db = -math.pi / 2 * b, math.pi / 2 * a",
    ),
    "variance preserving": (
        "Diffusion's schedule: a falls with the noise rate, a^2 + b^2 = 1.",
        "log_a = -(t**2) * {beta_rise!r} / 4 - t * {beta0!r} / 2\n"
        "a, b = log_a.exp(), (-torch.expm1(2 * log_a)).sqrt()\n"
        "rate = {beta0!r} + t * {beta_rise!r}\n"
        "da, db = -a * rate / 2, a**2 * rate / (2 * b)",
    ),
    "polynomial": (
        "A straight chord at uneven speed: x_t = (1 - t^n) x0 + t^n x1.",
        "n = {power!r}\na, b = 1 - t**n, t**n\nda, db = -n * t ** (n - 1), n * t ** (n - 1)",
    ),
    "custom": (
        "The typed formulas and their derivatives; these may be singular at the ends.",
        "t = t.clamp(1e-6, 1 - 1e-6)\na, b = a_of(t), b_of(t)\nda, db = slope(a_of, t), slope(b_of, t)",
    ),
    "bow": (
        "A bent chord: x_t = (1 - t) x0 + t x1 + k sin(pi t) J (x1 - x0), J a quarter turn.",
        "k = {bend!r}\nb = torch.complex(t, k * torch.sin(math.pi * t))\n"
        "db = torch.complex(torch.ones_like(t), k * math.pi * torch.cos(math.pi * t))\na, da = 1 - b, -db",
    ),
    "spiral": (
        "A turning chord: x_t = R(k sin(pi t)) [(1 - t) x0 + t x1], R a rotation.",
        "k = {turn!r}\nangle, spin = k * torch.sin(math.pi * t), 1j * k * math.pi * torch.cos(math.pi * t)\n"
        "turn = torch.polar(torch.ones_like(t), angle)\na, b = turn * (1 - t), turn * t\n"
        "da, db = spin * a - turn, spin * b + turn",
    ),
}

_ACT = '''\
def act(c, x):
    """A complex number c acts on (x, y) as on x + iy: it stretches by |c| and turns by its angle."""
    quarter_turn = torch.stack([-x[:, 1], x[:, 0]], 1)
    return c.real * x + c.imag * quarter_turn


'''

_FORMULAS = '''\
def a_of(t):
    return {a}


def b_of(t):
    return {b}


def slope(formula, t):
    """The derivative of a formula at t."""
    with torch.enable_grad():
        t = t.detach().requires_grad_()
        return torch.autograd.grad(formula(t).sum(), t)[0]


'''


def path_code(experiment: Experiment, path: Path) -> str:
    """``coefficients(t)``: a, b and their derivatives (and those of gamma, with a latent)."""
    name, latent = experiment.path, ""
    before = after = ""
    terms = Terms.of(path)
    if isinstance(path, ZigZag):
        name = experiment.around
        before = (
            "# The zig-zag chain has no velocity. The net learns the smooth path with the same marginals,\n"
            "# whose coefficients these are: its flow and the chain agree at every t.\n"
        )
    if isinstance(path, Latent):
        name = experiment.around
        if terms.latent:
            latent = " Plus gamma z, z ~ N(0, I)."
            after = (
                f"\nk, root = {path.strength!r}, (t * (1 - t)).sqrt()\n"
                "gamma, dgamma = k * root, k * (1 - 2 * t) / (2 * root)"
            )
    if isinstance(path, Custom):
        a, b = (_bare(Formula(text).code()) for text in (path.a, path.b))
        before = _FORMULAS.format(a=a, b=b)
    if terms.turns:
        before = _ACT
    what, lines = _COEFFICIENTS[name]
    lines = lines.format(beta_rise=experiment.beta1 - experiment.beta0, **experiment.to_dict()) + after
    if name == "variance preserving":
        what += " At t = 1 a trace of x0 is left."
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return f'{before}def coefficients(t):\n    """{what}{latent}"""\n{body}    return {terms.names}\n'


def _bare(code: str) -> str:
    """An expression without the brackets around the whole of it."""
    depth = 0
    for at, letter in enumerate(code):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return code[1:-1] if letter == ")" and at == len(code) - 1 and code[0] == "(" else code
    return code


def target_code(experiment: Experiment, terms: Terms) -> list[str]:
    """The lines that make x_t and y from x0, x1 (and z) at times t."""
    names = terms.names
    if experiment.target != "v":
        names = "a, b, gamma, *_" if terms.latent else "a, b, *_"
    z = terms.latent
    lines = [f"{names} = coefficients(t)"]
    if z:
        lines.append("z = torch.randn_like(x0)")
    lines.append(f"xt = {terms.times('a', 'x0')} + {terms.times('b', 'x1')}" + (" + gamma * z" if z else ""))
    if experiment.target == "v":
        v = f"y = {terms.times('da', 'x0')} + {terms.times('db', 'x1')}" + (" + dgamma * z" if z else "")
        lines.append(f"{v}  # the velocity of this path")
    elif experiment.target == "x0":
        lines.append("y = x0  # the net predicts the data point")
    elif experiment.target == "eps":
        lines.append("y = x1  # the net predicts the noise")
    else:
        noise = terms.times("b", "x1")
        y = f"-({noise} + gamma * z) / {terms.sigma}" if z else f"-{noise} / {terms.sigma}"
        y = "-x1" if not z and not terms.turns else y
        lines.append(f"y = {y}  # sigma times the score of x_t given x0")
    return lines


def velocity_code(experiment: Experiment, problem: Problem) -> str:
    """``velocity(net, x, t)``: u, and with an SDE also x - a x0_hat and sigma."""
    terms, target, noisy = Terms.of(problem.path), experiment.target, experiment.sde_noise > 0
    low, high = problem.target.times(problem.path)
    lines = ["t = t.expand(len(x), 1)"]
    if (low, high) != (0.0, 1.0):
        lines = [f"t = t.clamp({low!r}, {high!r}).expand(len(x), 1)"]
    asked = "net(x, t)"
    if problem.classes:
        lines.append(f"none = torch.full((len(x),), {problem.classes})")
        asked = "net(x, t, none)"
    given = f"net(x, t, torch.full_like(none, {experiment.label}))"
    guided = bool(problem.classes) and experiment.label >= 0 and experiment.guidance != 1
    if problem.classes and experiment.label >= 0 and not guided:
        lines.remove(f"none = torch.full((len(x),), {problem.classes})")
        asked = f"net(x, t, torch.full((len(x),), {experiment.label}))"
    what = {
        "v": "The velocity u(x, t): what the net predicts.",
        "x0": "The velocity u(x, t) from the predicted data point.",
        "eps": "The velocity u(x, t) from the predicted noise.",
        "score": "The velocity u(x, t) from the predicted y = sigma score.",
    }[target]
    y = {"v": "u", "x0": "x0", "eps": "eps", "score": "y"}[target]
    lines.append(f"{y} = {asked}")
    if guided:
        lines.append(f"{y} = {y} + {experiment.guidance!r} * ({given} - {y})  # guidance")
    if target != "v" or noisy:
        lines.append(f"{terms.names} = coefficients(t)")
        lines += _translation(target, terms, noisy)
    result = "u"
    if noisy:
        what = what[:-1] + ", with x - a x0 and sigma for the noise."
        lines.append(f"sigma = {terms.sigma}")
        result = f"u, x - {terms.times('a', 'x0')}, sigma"
    if not noisy and lines[-1].startswith("u = "):
        result = lines.pop().removeprefix("u = ")
    body = "".join(f"    {line}\n" for line in lines)
    return f'def velocity(net, x, t):\n    """{what}"""\n{body}    return {result}\n'


def _translation(target: str, terms: Terms, noisy: bool) -> list[str]:
    """From the prediction to ``u``, and to ``x0`` where noise needs it. Two equations:

    x = a x0 + b eps and u = a' x0 + b' eps; with a latent, m = b' b + gamma' gamma takes the place of b' b.
    """
    times = terms.times
    if terms.latent:
        mixed = "m, s2 = db * b + dgamma * gamma, b**2 + gamma**2"
        from_x0 = "u = da * x0 + m / s2 * (x - a * x0)"
        return {
            "v": [mixed, "x0 = (m * x - s2 * u) / (m * a - s2 * da)"],
            "x0": [mixed, from_x0],
            "eps": [mixed, "x0 = (x - s2 / b * eps) / a", from_x0],
            "score": [mixed, "x0 = (x + s2.sqrt() * y) / a", from_x0],
        }[target]
    from_ends = f"u = {times('da', 'x0')} + {times('db', 'eps')}"
    from_eps = "x0 = " + terms.over(f"x - {times('b', 'eps')}", "a")
    if target == "v":
        both = f"x0 = {times('db / d', 'x')} - {times('b / d', 'u')}"
        return ["d = a * db - da * b", both] if noisy else []
    if target == "x0":
        return ["eps = " + terms.over(f"x - {times('a', 'x0')}", "b"), from_ends]
    if target == "eps":
        return [from_eps, from_ends]
    return ["eps = act(-b.conj() / b.abs(), y)" if terms.turns else "eps = -y", from_eps, from_ends]


def training_range(path: Path) -> tuple[float, float]:
    """The times that a training draws from, away from an end where a coefficient's derivative is infinite."""
    low, high = training_times(path)
    return max(low, 1e-6), high
