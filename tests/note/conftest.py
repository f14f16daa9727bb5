"""What the tests of the claims share: small measurements, where an assertion does not need the size."""

from __future__ import annotations

import pytest

from fmstudio.note.claims import c01_chain, c02_marginals, c03_identities, c10_straight
from fmstudio.note.parts import flow_likelihood


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps and timings that nobody looks at."""
    monkeypatch.setattr(flow_likelihood, "CELLS", 10)
    monkeypatch.setattr(flow_likelihood, "TIMED", 40)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer repeats, trainings and draws: wider rooms, the same claims."""
    monkeypatch.setattr(c02_marginals, "REPEATS", 8)
    monkeypatch.setattr(c10_straight, "REPEATS", 2)
    monkeypatch.setattr(flow_likelihood, "TESTED", 25)
    monkeypatch.setattr(flow_likelihood, "DRAWS", (6, 3, 2))


@pytest.fixture
def cheaper(cheap: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """So few that small effects no longer stand out from chance: for what fails or declines anyway."""
    monkeypatch.setattr(c01_chain, "SEEDS", 4)
    monkeypatch.setattr(c03_identities, "REPEATS", 3)
