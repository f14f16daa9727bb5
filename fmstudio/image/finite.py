"""Numbers that are not finite end a run where they first appear, with what made them and what to do.

A network whose activations pass the largest number of its format (65,504 in float16) answers inf or NaN; from
then on every step and the picture are NaN, which is shown as black.
"""

from __future__ import annotations

from torch import Tensor


class NotFiniteError(ValueError):
    """A step or a decoder answered with inf or NaN; the message says where, in which format, what to do."""


def check_finite(x: Tensor, what: str, dtype: str, advice: str) -> None:
    """Refuse numbers of which one is not finite.

    Args:
        x: of any shape.
        what: made them: "step 2 of 8 (σ = 0.875)", "the decoder".
        dtype: that it computed in.
        advice: what to do, a sentence.

    Raises:
        NotFiniteError: one is inf or NaN.
    """
    if not bool(x.isfinite().all()):
        raise NotFiniteError(
            f"{what[0].upper()}{what[1:]} answered with numbers that are not finite (inf or NaN), computing "
            f"in {dtype}; the picture would be black. {advice}"
        )


def remedy(dtype: str) -> str:
    """What to take after numbers that are not finite in a format."""
    if dtype == "float16":
        return "float16 ends at 65,504: take a way in bfloat16 or float32."
    if dtype == "bfloat16":
        return (
            "Take float32 and a lower guidance; if that fails too, the weights are spoilt: fetch them again."
        )
    return "Take a lower guidance; if that fails too, the weights are spoilt: fetch them again."
