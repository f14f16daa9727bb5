"""From settings to pictures, on a store that holds tiny models under the names of real ones."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from fmstudio.image.finite import NotFiniteError
from fmstudio.image.hub.cards import CARDS, card
from fmstudio.image.hub.describe import UnsuitableModelError
from fmstudio.image.hub.find import COMMIT_FILE, Outlook, catalogue, folder_of, outlook
from fmstudio.image.hub.load import Shelf
from fmstudio.image.hub.machine import GIB, Machine
from fmstudio.image.hub.rows import SHELF, Loaded, OutOfRoomError, Settings, StepShown, sample_rows
from fmstudio.image.hub.sample import Finished

SD3 = "stabilityai/stable-diffusion-3-medium-diffusers"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"
HERE = Machine(8 * GIB, 8 * GIB, 100 * GIB)


@pytest.fixture
def stocked(tiny_folder, tmp_path, monkeypatch):
    """A downloads folder with tiny models in the places of real ones."""
    monkeypatch.setenv("FMSTUDIO_HUB_FOLDER", str(tmp_path))
    monkeypatch.delenv("FMSTUDIO_HUB", raising=False)
    for model_id, name in ((SD3, "SD3"), (KLEIN, "Flux2")):
        folder = folder_of(model_id, card(model_id).revision)
        shutil.copytree(tiny_folder(name), folder)
        (folder / COMMIT_FILE).write_text("a" * 40)
    yield tmp_path
    SHELF.clear()


def settings(**changes) -> Settings:
    return replace(Settings(SD3, prompt="a red fox", steps=(1, 3), side=32), **changes)


@pytest.mark.slow
def test_rows_come_step_by_step(stocked) -> None:
    events = list(sample_rows(settings()))
    assert isinstance(events[0], Loaded)
    assert events[0].plan.device == "cpu" or torch.cuda.is_available()
    kinds = [type(event) for event in events[1:]]
    assert kinds == [StepShown, Finished, StepShown, StepShown, StepShown, Finished]
    for event in events:
        if isinstance(event, StepShown):
            assert event.x_look.shape == event.x0_look.shape
            assert event.x_look.dtype == torch.uint8
    one, three = (event for event in events if isinstance(event, Finished))
    assert (one.nfe, three.nfe) == (1, 3)
    assert not torch.equal(one.pictures, three.pictures)
    first = [event.record.x for event in events if isinstance(event, StepShown) and event.record.index == 1]
    assert torch.equal(first[0], first[1])


def test_the_outlook_of_every_card(stocked) -> None:
    seen = {one.name: one for one in catalogue(HERE)}
    assert set(seen) == {known.id for known in CARDS}
    assert seen[SD3].ready
    assert seen[SD3].found.commit == "a" * 40
    assert not seen["Qwen/Qwen-Image"].ready
    assert seen["Qwen/Qwen-Image"].choice.plan is None  # 8 GiB of memory and no accelerator
    assert seen["Qwen/Qwen-Image"].found is None


@pytest.mark.slow
def test_a_model_without_its_optional_part_is_run_without_it(stocked) -> None:
    shutil.rmtree(folder_of(SD3, card(SD3).revision) / "text_encoder_3")
    assert outlook(SD3, HERE).ready
    assert isinstance(list(sample_rows(settings()))[-1], Finished)


def test_a_model_without_a_needed_part_is_not_there(stocked) -> None:
    shutil.rmtree(folder_of(SD3, card(SD3).revision) / "vae")
    assert not outlook(SD3, HERE).ready
    with pytest.raises(ValueError, match="Fetch it first"):
        list(sample_rows(settings()))


@pytest.mark.slow
def test_a_model_stays_loaded_and_another_takes_its_place(stocked) -> None:
    shelf = Shelf(large=1)
    list(sample_rows(settings(steps=(1,)), shelf))
    (first,) = shelf.keys
    list(sample_rows(settings(steps=(2,), prompt="a blue fox"), shelf))
    assert shelf.keys == [first]
    list(sample_rows(settings(steps=(1,), model=KLEIN), shelf))
    (second,) = shelf.keys
    assert second != first


@pytest.mark.slow
def test_stopping_in_the_middle_keeps_the_model(stocked) -> None:
    events = sample_rows(settings(steps=(100,)))
    for event in events:
        if isinstance(event, StepShown):
            break
    events.close()
    assert len(SHELF.keys) == 1
    assert isinstance(list(sample_rows(settings(steps=(1,))))[-1], Finished)


@pytest.mark.slow
def test_out_of_memory_names_the_next_smaller_way_and_life_goes_on(stocked, monkeypatch) -> None:
    from diffusers import SD3Transformer2DModel

    real = SD3Transformer2DModel.forward

    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(SD3Transformer2DModel, "forward", fail)
    with pytest.raises(OutOfRoomError, match="ran out of memory and was let go") as caught:
        list(sample_rows(settings()))
    # on the processor the way without the T5 encoder is smaller
    assert caught.value.smaller is not None
    assert SHELF.keys == []
    monkeypatch.setattr(SD3Transformer2DModel, "forward", real)
    events = list(sample_rows(settings(way=caught.value.smaller.title)))
    assert events[0].plan.dropped == ("text_encoder_3",)
    assert isinstance(events[-1], Finished)


@pytest.mark.slow
def test_an_infinite_weight_stops_the_run_with_a_sentence_and_life_goes_on(stocked) -> None:
    spoilt = folder_of(SD3, card(SD3).revision) / "transformer" / "diffusion_pytorch_model.safetensors"
    numbers = load_file(spoilt)
    numbers["proj_out.weight"][0, 0] = torch.inf
    save_file(numbers, spoilt, {"format": "pt"})
    events = []
    with pytest.raises(
        NotFiniteError, match=r"Step 1 of 1 \(σ = 1\.000\) answered with numbers that are not"
    ):
        events.extend(sample_rows(settings()))
    assert [type(event) for event in events] == [Loaded]
    assert isinstance(list(sample_rows(settings(model=KLEIN, steps=(1,))))[-1], Finished)


@pytest.mark.slow
def test_a_picture_says_how_it_is_made_again_alone(stocked) -> None:
    row = settings(steps=(2,), seed=7, count=3)
    three = list(sample_rows(row))[-1]
    for k, made in enumerate(row.each_alone(three.request, "a" * 40)):
        assert (made["seed"], made["count"], made["revision"]) == (7 + k, 1, "a" * 40)
        again = Settings(**made | {"revision": "", "steps": tuple(made["steps"])})
        (picture,) = list(sample_rows(again))[-1].pictures
        assert (picture.int() - three.pictures[k].int()).abs().max() <= 1
    with pytest.raises(ValueError, match="seed: expected a whole number"):
        next(sample_rows(settings(seed=2**31 - 1, count=2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": ()}, "at least one step count"),
        ({"prompt": ""}, "prompt is empty"),
        ({"model": "some/other"}, "Only models with a card"),
        ({"model": "Qwen/Qwen-Image"}, "is not on this machine yet"),
        ({"way": "resident on the moon"}, "choose another way"),
        ({"solver": "deis"}, "runs with euler, unipc"),
        ({"steps": (0,)}, "1 … 200"),
    ],
)
def test_settings_that_make_no_sense(stocked, changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        list(sample_rows(settings(**changes)))


def test_guidance_starts_where_the_pipeline_lets_it() -> None:
    prx = card("Photoroom/prx-512-t2i-sft-distilled")
    seen = Outlook(prx.id, "main", prx, None, None)
    with pytest.raises(ValueError, match="takes guidance from 1"):
        settings(model=prx.id, guidance=0.0).check_against(seen)


@pytest.mark.slow
def test_a_folder_of_this_machine_if_the_owner_allows(stocked, tiny_folder, monkeypatch) -> None:
    folder = str(tiny_folder("AuraFlow"))
    with pytest.raises(ValueError, match="FMSTUDIO_HUB=any"):
        outlook(folder, HERE)
    monkeypatch.setenv("FMSTUDIO_HUB", "any")
    seen = outlook(folder, HERE)
    assert seen.ready
    assert seen.title == "AuraFlow"
    assert isinstance(list(sample_rows(settings(model=folder, steps=(2,))))[-1], Finished)
    with pytest.raises(UnsuitableModelError, match=r"no model_index\.json"):
        outlook(str(stocked), HERE)
    assert outlook("some/other", HERE).choice is None
    for name in ("../etc", "some/..", "a/b/c", "a b/c"):
        with pytest.raises(ValueError, match=r"owner/name|model_index"):
            outlook(name, HERE)
    with pytest.raises(ValueError, match="revision"):
        outlook("some/other", HERE, "../x")


def test_a_folder_that_cannot_run_is_not_called_ready(tiny_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FMSTUDIO_HUB", "any")
    folder = tmp_path / "named"
    shutil.copytree(tiny_folder("Flux"), folder)
    assert outlook(str(folder), HERE).found is not None
    shutil.rmtree(folder / "vae")
    with pytest.raises(UnsuitableModelError, match="lacks the vae, which FluxPipeline needs"):
        outlook(str(folder), HERE)


def test_a_seed_that_is_none_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ValueError, match="seed: expected a whole number"):
        next(sample_rows(settings(seed=-3)))


ASKED_AT_ONCE = """
import sys, threading
from pathlib import Path
from fmstudio.image.hub.describe import describe
from fmstudio.image.hub.load import pipeline_class

seen, known = describe(Path(sys.argv[1])), []
threads = [threading.Thread(target=lambda: known.append(pipeline_class(seen))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(len(known) != 4)
"""


@pytest.mark.slow
def test_visitors_who_ask_for_a_class_at_once_all_get_it(tiny_folder) -> None:
    """In a process of its own: only the first import of a class can go wrong."""
    asked = [sys.executable, "-c", ASKED_AT_ONCE, str(tiny_folder("Flux"))]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
