"""The paths that an experiment may choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fmstudio.flow.formulas.custom import Custom
from fmstudio.flow.formulas.grammar import Formula
from fmstudio.flow.paths.affine import Linear, Polynomial, Spherical, VariancePreserving
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.path import Path
from fmstudio.flow.paths.turning import Bow, Spiral
from fmstudio.flow.paths.zigzag import ZigZag
from fmstudio.learn.catalogue.member import Member, family
from fmstudio.learn.fields import Fields


@dataclass(frozen=True)
class PathMember(Member[Path]):
    """A path.

    What must be known about it, if anything, is a section of ``assets/text/path-notes.md`` under its name.

    Args:
        formula: x_t in one line, as it stands under the drawing of the coefficients.
        around: the names of the paths that it may go around; none where it stands by itself.
        chain: whether it is a Markov chain, with its own noise, no velocity, and the marginals of the path
            that it goes around.
    """

    formula: str | Callable[[Fields], str] = ""
    around: tuple[str, ...] = ()
    chain: bool = False

    def goes_around(self, name: str) -> bool:
        """Whether it may go around the path of that name; true of one that stands by itself."""
        return not self.around or name in self.around

    def formula_for(self, e: Fields) -> str:
        """The formula, with the experiment's numbers where it shows any."""
        return self.formula if isinstance(self.formula, str) else self.formula(e)


def _around(e: Fields) -> Path:
    return PATHS[e.around].make(e)


def _typed(e: Fields) -> str:
    a, b = (Formula(text).normal() for text in (e.formula_a, e.formula_b))
    return f"a = {a}, b = {b}"


PATHS: dict[str, PathMember] = family(
    PathMember("linear", lambda e: Linear(), label="straight", formula="xₜ = (1−t) x₀ + t x₁"),
    PathMember("spherical", lambda e: Spherical(), formula="xₜ = cos(πt/2) x₀ + sin(πt/2) x₁"),
    PathMember(
        "variance preserving", lambda e: VariancePreserving(e.beta0, e.beta1), ("beta0", "beta1"), "VP",
        formula="xₜ = a x₀ + √(1−a²) x₁",
    ),
    PathMember(
        "polynomial", lambda e: Polynomial(e.power), ("power",),
        formula=lambda e: f"xₜ = (1−tⁿ) x₀ + tⁿ x₁, n = {e.power:g}",
    ),
    PathMember(
        "custom", lambda e: Custom(e.formula_a, e.formula_b), ("formula_a", "formula_b"), formula=_typed
    ),
    PathMember(
        "bow", lambda e: Bow(e.bend), ("bend",), formula="xₜ = (1−t) x₀ + t x₁ + κ sin(πt) J(x₁−x₀)"
    ),
    PathMember(
        "spiral", lambda e: Spiral(e.turn), ("turn",), formula="xₜ = R(κ sin πt) [(1−t) x₀ + t x₁]"
    ),
    PathMember(
        "latent", lambda e: Latent(_around(e), e.strength), ("around", "strength"),
        formula="xₜ = a x₀ + b x₁ + κ√(t(1−t)) z", around=("linear", "spherical", "variance preserving"),
    ),
    PathMember(
        "zig-zag", lambda e: ZigZag(_around(e)), ("around",),
        formula="xₜ = xₛ aₜ/aₛ + noise", around=("spherical", "variance preserving"), chain=True,
    ),
)  # fmt: skip
