"""C8: flow matching is v-prediction; v, x̂₀, ε̂ and the score are four names of one prediction.

Position and velocity are two linear equations in (x̂₀, ε̂), so a net that predicts one predicts all. Reading
another name multiplies the error of v by a number that only the path decides,

    x̂₀: |b/D|,     ε̂: |a/D|,     score: |a/(D b)|,     D = a b′ − a′ b   (no latent),

and on the spherical path v = (π/2)(a ε̂ − b x̂₀). Since x̂₀ and ε̂ depend on x_t only through the ratio b/a
and the scale, a net trained on one path also moves particles along another one.

Source: Wu & Lizarraga, About Flow Matching, 2024, section 3; v-prediction is by
Salimans & Ho 2022, arXiv:2202.00512.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from fmstudio.flow.oracle.oracle_for import oracle_for
from fmstudio.flow.paths.affine import Linear, Spherical
from fmstudio.flow.paths.path import Path, act
from fmstudio.flow.regress.translate import TRANSLATE, Prediction, from_v
from fmstudio.flow.solve.fields import VelocityField
from fmstudio.flow.solve.solvers import integrate, path_times
from fmstudio.flow.solve.tableaux import HEUN
from fmstudio.learn.experiment import Experiment
from fmstudio.note import claim
from fmstudio.note.claim import Claim, Declined, Expected, Measured, Measurement, Steps, quantity
from fmstudio.note.parts.nets import learned, shares, small
from fmstudio.note.parts.panel import Panel, series
from fmstudio.note.parts.setting import Setting, blocks, column_errors, normal_source, repeated, smooth

TIMES = tuple(round(0.05 * k, 2) for k in range(1, 20))
CHECKED = (0.2, 0.5, 0.8)
NAMES = {"x̂₀": "data", "ε̂": "noise", "score": "class-4"}
COUNTS = (10, 20, 40, 80)
EPSILON = torch.finfo(torch.float64).eps
REPEATS, PARTICLES = 16, 100
#: How far apart the ends along two paths may be after the most steps.
APART = 0.02
#: A path's net is borrowed where the error of v, read as ε̂ near the data, grows by less than this.
NEAR, MOST = 1e-3, 10.0
#: Beyond this factor the names tell nothing of each other.
LARGEST = 1e12
_ERRORS = Panel(
    "Errors under four names",
    "The error of the net's velocity, read under its other names.",
    "t",
    "error over the error of v",
    log_y=True,
)
_TRIPS = Panel(
    "Round trips",
    "From v to each name and back: the largest relative difference in v; the line is one rounding.",
    "t",
    "relative difference",
    log_y=True,
)
_ENDS = Panel(
    "One net along two paths",
    "Where one net ends from one noise, along its own path and along the {} one.",
    "steps (Heun)",
    "median distance of the ends",
    log_x=True,
    log_y=True,
)


def applies(experiment: Experiment) -> str | None:
    """A velocity, and a source N(0, I) for the score."""
    return smooth(experiment) or normal_source(experiment)


def amplification(path: Path, t: Tensor) -> dict[str, Tensor]:
    """How much the error of v grows when it is read as x̂₀, ε̂ or the score, at times t."""
    c = path.at(t)
    mixed = c.db * c.b.conj() + c.gamma_dgamma
    x0 = (c.variance / (mixed * c.a - c.da * c.variance)).abs()
    return {"x̂₀": x0, "ε̂": x0 * (c.a * c.b).abs() / c.variance, "score": x0 * c.a.abs() / c.variance}


def kept(path: Path) -> str | None:
    """Why the net of this path is borrowed for no other, or None."""
    inside = path.at(torch.linspace(NEAR, 1 - NEAR, 201, dtype=torch.float64))
    if path.has_latent or inside.a.is_complex():
        return "A path that turns or has a latent shares its posterior with no other path of the list."
    if bool((inside.determinant <= 0).any()):
        return "On this path b/a does not always rise, so its times have no partners on another path."
    if float(amplification(path, torch.tensor(NEAR, dtype=torch.float64))["ε̂"]) > MOST:
        return (
            "On this path a b′ − a′ b is 0 at t = 0: read as ε̂, an error of v grows there without bound. "
            "So the net is not borrowed for another path."
        )
    return None


def other_path(path: Path) -> Path | None:
    """The path to borrow the net for; None where it is kept."""
    if kept(path) is not None:
        return None
    return Linear() if isinstance(path, Spherical) else Spherical()


def stranger(path: Path) -> Path:
    """Of the straight and the spherical path the one less like this one, to misread it with."""
    middle = torch.tensor(0.5, dtype=torch.float64)
    a = path.at(middle).a
    return max((Linear(), Spherical()), key=lambda other: float((other.at(middle).a - a).abs()))


def borrowed(field: VelocityField, path: Path, target: Path, scaled: bool = True) -> VelocityField:
    """A field of one path as a field of another: the same x̂₀ and ε̂ at equal b/a, after rescaling.

    Args:
        field: u of ``path``.
        path, target: without latent, real, b/a rising.
        scaled: whether positions are rescaled; without it the field is wrong.
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        # No nearer to t = 0 than the net is asked: b′ may be infinite there.
        c = target.at(t.double().clamp(min=NEAR))
        tau = matching_time(path, math.atan2(float(c.b), float(c.a)))
        d = path.at(tau)
        scale = float(torch.sqrt((d.a**2 + d.b**2) / (c.a**2 + c.b**2))) if scaled else 1.0
        y = x * scale
        p = from_v(path, field(y, tau.to(x.dtype)), y, tau.to(x.dtype))
        return act(c.da.to(x.dtype), p.x0_hat) + act(c.db.to(x.dtype), p.eps_hat)

    return velocity


def matching_time(path: Path, angle: float) -> Tensor:
    """The time τ at which atan(b/a) of the path is the given angle, by halving; kept off t = 0."""
    low, high = NEAR, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        c = path.at(torch.tensor(middle, dtype=torch.float64))
        low, high = (middle, high) if math.atan2(float(c.b), float(c.a)) < angle else (low, middle)
    return torch.tensor((low + high) / 2, dtype=torch.float64)


def common_start(path: Path, target: Path) -> tuple[float, float, float]:
    """Where particles start on both: the path's time, the target's, and by how much it is larger there.

    (1, 1, 1) where x̂₀ can be read at t = 1; both are x₁. A variance-preserving path hardly knows x₀ there,
    so both start where an error of v, read as x̂₀, grows less than ``MOST`` times.
    """
    times = torch.linspace(1, NEAR, 1_000, dtype=torch.float64)
    first = float(times[amplification(path, times)["x̂₀"] <= MOST][0])
    c = path.at(torch.tensor(first, dtype=torch.float64))
    if float(c.a) == 0:
        return 1.0, 1.0, 1.0
    time = matching_time(target, math.atan2(float(c.b), float(c.a)))
    d = target.at(time)
    return first, float(time), float(torch.sqrt((d.a**2 + d.b**2) / (c.a**2 + c.b**2)))


def predict(experiment: Experiment) -> claim.Prediction:
    """The factors of the path, exact identities, and no distance between the ends along two paths."""
    s = Setting(experiment, 8)
    factors = amplification(s.path, torch.tensor(TIMES, dtype=torch.float64))
    at_checked = [TIMES.index(t) for t in CHECKED]
    largest = max(float(factor[at_checked].max()) for factor in factors.values())
    if not largest < LARGEST:
        raise Declined(
            f"a b′ − a′ b is 0 or nearly so at one of t = {', '.join(map(str, CHECKED))}: read under another "
            f"name, the error of v grows {quantity(largest)} times there, and rounding with it."
        )
    numbers = [
        Expected("largest round-trip error", 0.0, "at most", slack=1e-9),
        Expected("largest |u − (π/2)(a ε̂ − b x̂₀)|, spherical path", 0.0, "at most", slack=1e-6),
    ]
    for name, factor in factors.items():
        for t in CHECKED:
            value = float(factor[TIMES.index(t)])
            numbers.append(Expected(f"error of {name} over error of v at t = {t}", value, slack=1e-3 * value))
    formulas = (series(f"{n}, formula", NAMES[n], TIMES, f, mark="dashes") for n, f in factors.items())
    rounding = series("float64 rounding", "original", (TIMES[0], TIMES[-1]), [EPSILON] * 2, mark="dashes")
    panels = [_ERRORS.drawn(*formulas), _TRIPS.drawn(rounding)]
    reason = kept(s.path)
    notes = () if reason is None else (reason,)
    target = other_path(s.path)
    if target is not None:
        first = common_start(s.path, target)[0]
        if first < 1:
            late = f"an error of v, read as x̂₀, grows more than {MOST:g} times after it"
            notes = (f"Along two paths particles start at t = {first:.2f} of their own: {late}.",)
        numbers.append(Expected("median distance of the ends along two paths", 0.0, "at most", slack=APART))
        apart = series(f"0, up to {APART}", "exact", (COUNTS[0], COUNTS[-1]), [APART] * 2, mark="dashes")
        word = "straight" if isinstance(target, Linear) else "spherical"
        panels.append(replace(_ENDS.drawn(apart), caption=_ENDS.caption.format(word)))
    return claim.Prediction(tuple(numbers), tuple(panels), notes)


def steps(experiment: Experiment, broken: bool) -> Steps:
    """Train once and read four names. Broken: read with another path's a and b, and without the scale."""
    s = Setting(experiment, 8)
    field = yield from shares(learned(small(experiment)), 0, 0.6)
    times = torch.tensor(TIMES, dtype=torch.float64)
    reader = stranger(s.path) if broken else s.path
    ratios: dict[str, list[float]] = {name: [] for name in NAMES}
    trips: dict[str, list[float]] = {name: [] for name in NAMES}
    for k, t in enumerate(times):
        x = s.snapshot(500, t.float(), s.generator(k)).double()
        v = field(x.float(), t.float()).double()
        read = from_v(reader, v, x, t)
        exact = s.oracle.moments(x, t)
        off = _rms(v - exact.u)
        ratios["x̂₀"].append(_rms(read.x0_hat - exact.x0_hat) / off)
        ratios["ε̂"].append(_rms(read.eps_hat - exact.eps_hat) / off)
        ratios["score"].append(_rms(read.score - exact.score) / off)
        for name, key in zip(NAMES, ("x0", "eps", "score"), strict=True):
            trips[name].append(_round_trip(reader, read, key, x, t))
        yield 0.6 + 0.1 * (k + 1) / len(times)
    numbers = [
        Measured("largest round-trip error", max(max(row) for row in trips.values())),
        Measured("largest |u − (π/2)(a ε̂ − b x̂₀)|, spherical path", _spherical_gap(s)),
    ]
    for name, values in ratios.items():
        for t in CHECKED:
            numbers.append(Measured(f"error of {name} over error of v at t = {t}", values[TIMES.index(t)]))
    curves = (series(f"{n}, net", NAMES[n], TIMES, values, mark="points") for n, values in ratios.items())
    loops = (series(n, NAMES[n], TIMES, values, mark="points") for n, values in trips.items())
    panels = [_ERRORS.over(*curves), _TRIPS.over(*loops)]
    target = other_path(s.path)
    if target is not None:
        distances = torch.zeros(REPEATS, len(COUNTS), dtype=torch.float64)
        for k, count in enumerate(COUNTS):
            distances[:, k] = _end_distances(s, field, target, count, scaled=not broken)
            yield 0.7 + 0.3 * (k + 1) / len(COUNTS)
        last = repeated(distances[:, -1])
        numbers.append(Measured("median distance of the ends along two paths", *last))
        curve = series("distance", "learned", COUNTS, *column_errors(distances))
        panels.append(_ENDS.over(curve))
    return Measurement(tuple(numbers), tuple(panels), repeats=1 if target is None else REPEATS)


def _rms(x: Tensor) -> float:
    return float(x.square().sum(1).mean().sqrt())


def _round_trip(path: Path, read: Prediction, name: str, x: Tensor, t: Tensor) -> float:
    """Largest relative difference in v after passing through one of the names."""
    given = {"x0": read.x0_hat, "eps": read.eps_hat, "score": read.score}[name]
    return float((TRANSLATE[name](path, given, x, t).v - read.v).abs().max() / read.v.abs().max())


def _spherical_gap(s: Setting) -> float:
    path = Spherical()
    oracle, worst = oracle_for(path, s.density, s.source), 0.0
    ends = s.pairs(500, s.generator(100))
    for t in torch.tensor(TIMES, dtype=torch.float64):
        c = path.at(t)
        m = oracle.moments(path.position(ends.x0.double(), ends.x1.double(), t), t)
        worst = max(worst, float((m.u - math.pi / 2 * (c.a * m.eps_hat - c.b * m.x0_hat)).abs().max()))
    return worst


def _end_distances(s: Setting, field: VelocityField, target: Path, count: int, scaled: bool) -> Tensor:
    """Median distance of the ends from one noise, once for each of ``REPEATS`` draws of it."""
    first, time, scale = common_start(s.path, target)
    start = s.snapshot(REPEATS * PARTICLES, first, s.generator(200))
    own = integrate(field, start, path_times(count, first), HEUN, record=False).end
    lent = borrowed(field, s.path, target, scaled)
    there = scale * start if scaled else start
    other = integrate(lent, there, path_times(count, time), HEUN, record=False).end
    return blocks((own - other).norm(dim=1), REPEATS).median(1).values


CLAIM = Claim(
    number="C8",
    section=3,
    headline=("error of x̂₀ over error of v at t = 0.5",),
    applies=applies,
    predict=predict,
    steps=steps,
)
