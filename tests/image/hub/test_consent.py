"""What the owner allows, what a gate asks for, and what this machine has."""

import huggingface_hub
import pytest
from huggingface_hub import errors

from fmstudio.image.hub import consent
from fmstudio.image.hub.cards import CARDS, card
from fmstudio.image.hub.consent import Permission, explain, how_to_pass_the_gate, may_fetch, may_name_any
from fmstudio.image.hub.machine import measure_machine

ONE = CARDS[0].id


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("FMSTUDIO_HUB", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def test_at_home_the_cards_and_on_a_space_nothing(monkeypatch) -> None:
    assert consent.permission() is Permission.CARDS
    assert may_fetch(ONE) == ""
    assert "Only models with a card" in may_fetch("some/other")
    assert not may_name_any()
    monkeypatch.setenv("SPACE_ID", "me/studio")
    assert consent.permission() is Permission.OFF
    assert "allows no downloads" in may_fetch(ONE)


def test_the_owner_decides(monkeypatch) -> None:
    monkeypatch.setenv("SPACE_ID", "me/studio")
    monkeypatch.setenv("FMSTUDIO_HUB", "any")
    assert may_fetch("some/other") == ""
    assert may_name_any()
    monkeypatch.setenv("FMSTUDIO_HUB", "off")
    assert may_fetch(ONE)
    monkeypatch.setenv("FMSTUDIO_HUB", "yes")
    with pytest.raises(ValueError, match="expected off, cards, any; got 'yes'"):
        consent.permission()


def test_offline_is_offline(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in may_fetch(ONE)


def test_a_gate_says_how_to_pass_it(monkeypatch) -> None:
    gated = card("black-forest-labs/FLUX.1-dev")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    text = how_to_pass_the_gate(gated)
    assert gated.url in text
    assert "hf auth login" in text
    assert "Never type a token" in text
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_secret")
    assert "already" in how_to_pass_the_gate(gated)
    assert "hf_secret" not in how_to_pass_the_gate(gated)
    assert how_to_pass_the_gate(card("black-forest-labs/FLUX.1-schnell")) == ""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device"), "disk is full"),
        (errors.OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE"),
        (errors.HFValidationError("bad"), "owner/name"),
        (errors.LocalEntryNotFoundError("model_index.json"), "no diffusers model"),
        (TimeoutError("timed out.\nmore"), "timed out). What was fetched"),
    ],
)
def test_errors_in_words(error, says) -> None:
    assert says in explain(error, "some/model")


def test_this_machine_is_measured(tmp_path) -> None:
    here = measure_machine(tmp_path / "not" / "there" / "yet")
    assert 0 < here.ram_free <= here.ram_total
    assert here.disk_free > 0
    assert "GiB" in here.describe()
    for device in here.accelerators:
        assert 0 <= device.free <= device.total
