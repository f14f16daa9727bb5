"""The claims of Wu & Lizarraga, *About Flow Matching*, 2024: predicted, measured, judged.

Each claim is a file with one :class:`Claim`: ``predict`` uses formulas and the oracle, ``measure`` moves
particles or trains nets, ``verdict`` compares them at one stated rate of false alarms.
"""

from fmstudio.note.claim import Claim, Measurement, Prediction, Verdict
from fmstudio.note.claims.c01_chain import CLAIM as C1
from fmstudio.note.claims.c02_marginals import CLAIM as C2
from fmstudio.note.claims.c03_identities import CLAIM as C3
from fmstudio.note.claims.c04_zigzag import CLAIM as C4
from fmstudio.note.claims.c05_mean import CLAIM as C5
from fmstudio.note.claims.c06_drift import CLAIM as C6
from fmstudio.note.claims.c07_langevin import CLAIM as C7
from fmstudio.note.claims.c08_names import CLAIM as C8
from fmstudio.note.claims.c09_likelihood import CLAIM as C9
from fmstudio.note.claims.c10_straight import CLAIM as C10
from fmstudio.note.parts.panel import Panel

CLAIMS: dict[str, Claim] = {claim.number: claim for claim in (C1, C2, C3, C4, C5, C6, C7, C8, C9, C10)}
"""Every claim by its number, in the order of the note."""

__all__ = ["CLAIMS", "Claim", "Measurement", "Panel", "Prediction", "Verdict"]
