"""Exported code of the path, of what the net predicts, and of the way from a prediction to a velocity."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fmstudio.flow.bounds import Box
from fmstudio.flow.formulas.custom import Custom, Formula
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.flow.regress.objectives import training_times
from fmstudio.learn.experiment import Experiment
from fmstudio.learn.training.batches import Problem


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
    """``velocity(net, x, t)``: u, and with an SDE also x - a x0_hat and sigma; before it the data's box."""
    return _Velocity(experiment, problem).code()


_SAYS = {
    "v": "The velocity u(x, t): what the net predicts",
    "x0": "The velocity u(x, t) from the predicted data point, held inside the data's box",
    "eps": "The velocity u(x, t) from the predicted noise; its data point is held inside the data's box",
    "score": "The velocity u(x, t) from y = sigma score; its data point is held inside the data's box",
}


@dataclass(frozen=True)
class _Velocity:
    """The function ``velocity`` of a script."""

    e: Experiment
    p: Problem

    @property
    def terms(self) -> Terms:
        """How the path's terms are written."""
        return Terms.of(self.p.path)

    @property
    def one_class(self) -> bool:
        """Whether the sampler asks for a class."""
        return self.p.classes > 0 and self.e.label >= 0

    @property
    def guided(self) -> bool:
        """Whether the answers with and without the class are both asked for."""
        return self.one_class and self.e.guidance != 1

    def code(self) -> str:
        """The function, after the box that it needs."""
        e, terms = self.e, self.terms
        box, lines = "", self._times()
        if e.target == "v":
            lines += self._answer("u", self._asked("t"))
        else:
            box, t = _box(self.p.box) + "\n\n\n", "s" if self.e.sde_noise else "t"
            lines.append(f"{terms.names} = coefficients({t})")
            lines += _mixed(terms) + self._answer("x0", _data_point(e, terms, self._asked(t)))
            lines += _from_data_point(terms)
        what = _SAYS[e.target]
        if self.e.sde_noise:
            what += ", with x - a x0 and sigma for the noise" if e.target == "v" else ""
            lines += [f"{terms.names} = coefficients(t)", *_mixed(terms), *_to_data_point(terms)]
            lines += [f"sigma = {terms.sigma}", f"return u, x - {terms.times('a', 'x0')}, sigma"]
        elif lines[-1].startswith("u = ") and not (self.guided and e.target == "v"):
            lines[-1] = "return " + lines[-1].removeprefix("u = ")
        else:
            lines.append("return u")
        body = "".join(f"    {line}\n" for line in lines)
        return f'{box}def velocity(net, x, t):\n    """{what}."""\n{body}'

    def _times(self) -> list[str]:
        """``t`` as a column inside the net's times; with noise ``s`` is the net's time, ``t`` the noise's."""
        asked, own = (
            "" if ends == (0.0, 1.0) else f".clamp({ends[0]!r}, {ends[1]!r})"
            for ends in (self.p.target.times(self.p.path), training_times(self.p.path))
        )
        if self.e.sde_noise == 0 or self.e.target == "v":
            return [f"t = t{asked}.expand(len(x), 1)"]
        return [f"t = t{own}.expand(len(x), 1)", f"s = t{asked}  # where the net is asked"]

    def _asked(self, t: str) -> str:
        """What the net says at time ``t``: of ``label``, of one class, or of all."""
        if not self.p.classes:
            return f"net(x, {t})"
        told = f"torch.full((len(x),), {self.e.label if self.one_class else self.p.classes})"
        return f"net(x, {t}, {'label' if self.guided else told})"

    def _answer(self, name: str, answer: str) -> list[str]:
        """``name`` = the answer; with guidance beyond that of no class towards that of the class."""
        if not self.guided:
            return [f"{name} = {answer}"]
        return [
            f"none = torch.full((len(x),), {self.p.classes})",
            f"{name} = {answer.replace('label', 'none')}",
            f"told = {answer.replace('label', f'torch.full_like(none, {self.e.label})')}",
            f"{name} = {name} + {self.e.guidance!r} * (told - {name})  # guidance",
        ]


def _box(box: Box) -> str:
    """The constants LOW and HIGH."""
    low, high = ([float(str(v)) for v in side.cpu().numpy()] for side in (box.low, box.high))
    return f"LOW, HIGH = torch.tensor({low}), torch.tensor({high})  # the box of the data"


def _mixed(terms: Terms) -> list[str]:
    """With a latent: m = b' b + gamma' gamma in the place of b' b, and sigma^2."""
    return ["m, s2 = db * b + dgamma * gamma, b**2 + gamma**2"] if terms.latent else []


def _data_point(e: Experiment, terms: Terms, said: str) -> str:
    """x0 held inside the box, from what the net says: x = a x0 + b eps solved for it."""
    if e.target == "x0":
        return f"{said}.clamp(LOW, HIGH)"
    if terms.latent:
        rest = f"x - s2 / b * {said}" if e.target == "eps" else f"x + s2.sqrt() * {said}"
    elif e.target == "eps":
        rest = f"x - {terms.times('b', said)}"
    else:
        rest = f"x + {'b.abs()' if terms.turns else 'b'} * {said}"
    return (f"act(1 / a, {rest})" if terms.turns else f"(({rest}) / a)") + ".clamp(LOW, HIGH)"


def _from_data_point(terms: Terms) -> list[str]:
    """``u`` from x = a x0 + b eps and u = a' x0 + b' eps."""
    if terms.latent:
        return ["u = da * x0 + m / s2 * (x - a * x0)"]
    eps = terms.over(f"x - {terms.times('a', 'x0')}", "b")
    return [f"eps = {eps}", f"u = {terms.times('da', 'x0')} + {terms.times('db', 'eps')}"]


def _to_data_point(terms: Terms) -> list[str]:
    """``x0`` from u: the two equations the other way."""
    if terms.latent:
        return ["x0 = (m * x - s2 * u) / (m * a - s2 * da)"]
    return ["d = a * db - da * b", f"x0 = {terms.times('db / d', 'x')} - {terms.times('b / d', 'u')}"]


def training_range(path: Path) -> tuple[float, float]:
    """The times that a training draws from, away from an end where a coefficient's derivative is infinite."""
    low, high = training_times(path)
    return max(low, 1e-6), high
