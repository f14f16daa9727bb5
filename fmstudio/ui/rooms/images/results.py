"""How results of the flow run both ways look: rows of images with names, numbers and one line of reading."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from torch import Tensor

from fmstudio.image.questions.bits import LEVEL, Bits
from fmstudio.image.questions.gallery import data_uri, strip_of
from fmstudio.image.questions.inversion import Edit, Interpolation, Inversion
from fmstudio.image.settings import ImageSettings
from fmstudio.image.training.data import to_bytes
from fmstudio.ui.report import facts


def interpolation_html(made: Interpolation) -> str:
    """Three rows: along the arc, along the straight line, and the cross-fade."""
    middle = len(made.norms[1]) // 2
    return _rows(
        [
            ("on the arc", f"noise keeps its length, {made.norms[0][middle]:.2f} in the middle", made.sphere),
            ("straight", f"noise gets shorter, {made.norms[1][middle]:.2f} in the middle", made.line),
            ("cross-fade", "both images, mixed pixel by pixel", made.fade),
        ]
    )


def inversion_html(made: Inversion) -> str:
    """Picture, noise, what comes back, and the difference four times enlarged."""
    mean, spread = made.noise_moments
    difference = ((made.back - made.picture).abs() * 2 * 4 - 1).clamp(-1, 1)
    cells = shots(
        [
            (made.picture, "the picture", ""),
            (made.noise / 3, "its noise", "shown from −3 to 3"),
            (made.back, "back again", f"off by {made.error:.4f}"),
            (difference, "the difference", "4 times enlarged"),
        ]
    )
    table = facts(
        [
            ("error, RMS of a pixel in [−1, 1]", f"{made.error:.4f}"),
            ("evaluations there and back", str(made.nfe)),
            ("noise: mean of a pixel (Gaussian: 0)", f"{mean:.3f}"),
            ("noise: standard deviation (Gaussian: 1)", f"{spread:.3f}"),
        ]
    )
    return f"{cells}{table}"


def edit_html(made: Edit, picture: Tensor) -> str:
    """The picture, then for every t the noised picture and both ways down."""
    head = "".join(f"<span>{t:g}</span>" for t in made.times)
    rows = _rows(
        [
            ("x_t", "picture and fresh noise, (1 − t) x₀ + t ε", made.noised),
            ("down again", "from there, with the new class", made.fresh),
            ("own noise", "x_t by the flow itself, then down", made.kept),
        ]
    )
    strip = shots([(picture, "the picture", "")])
    return f'{strip}<div class="fm-times"><span>t =</span><div class="numbers">{head}</div></div>{rows}'


def bits_html(made: Bits, picture: Tensor, steps: int, settings: ImageSettings) -> str:
    """The figure with its error, and what it is made of."""
    draws = len(made.draws)
    noise = "dequantisation noise and signs" if made.dequantised else "signs"
    how = settings.solver if settings.adaptive else f"{steps} steps of {settings.solver}"
    kind = "at most, up to solver and estimate" if made.dequantised else "not a bound: no dequantisation"
    table = facts(
        [
            (f"bits per dimension ({kind})", f"{made.mean:.3f} ± {made.standard_error:.3f}"),
            ("of that: its noise under N(0, I)", f"{float(made.prior.mean()):.3f}"),
            ("of that: −∫ div u dt", f"{float(made.divergence.mean()):.3f}"),
            (f"of that: scale of a pixel, log₂ {LEVEL:g}", f"{math.log2(LEVEL):.3f}"),
            ("an untrained guess: every value alike", "8.000"),
            (f"standard error from independent draws of {noise}", str(draws)),
            (f"evaluations with a backward pass, {how}", str(made.nfe)),
            ("RMS of the noise reached (Gaussian: 1)", f"{made.reached:.3f}"),
        ]
    )
    return f"{shots([(picture, 'the picture', '')])}{table}"


def shots(shown: Sequence[tuple[Tensor, str, str]]) -> str:
    """Images side by side with a name and a remark under each."""
    named = [(to_bytes(x), escape(name), f"<b>{escape(name)}</b><br>{escape(r)}") for x, name, r in shown]
    return captioned(named)


def captioned(shown: Iterable[tuple[Tensor, str, str]]) -> str:
    """Images (uint8) side by side, each with the words in its place and those under it, as HTML."""
    cells = "".join(
        f'<figure><img alt="{alt}" src="{data_uri(image)}"><figcaption>{under}</figcaption></figure>'
        for image, alt, under in shown
    )
    return f'<div class="fm-shots">{cells}</div>'


def _rows(rows: Sequence[tuple[str, str, Tensor]]) -> str:
    lines = "".join(
        f'<div class="fm-grid-row"><div><b>{escape(name)}</b></div><figure>'
        f'<img alt="{escape(name)}" src="{data_uri(strip_of(to_bytes(images)))}">'
        f"<figcaption>{escape(remark)}</figcaption></figure></div>"
        for name, remark, images in rows
    )
    return f'<div class="fm-grid fm-named">{lines}</div>'
