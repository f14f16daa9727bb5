"""What a folder holds, and which folders are refused before anything in them is run."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from fmstudio.image.hub.cards import CARDS, ModelCard, card
from fmstudio.image.hub.describe import (
    UnsuitableModelError,
    components,
    describe,
    parameter_count,
    wanted_files,
)
from fmstudio.image.hub.find import find, networks_of, networks_of_card
from fmstudio.image.hub.load import is_instaflow, load_model, load_pipeline, pipeline_class
from fmstudio.image.hub.plan import Placement, Plan
from tests.image.hub import tiny
from tests.image.hub.conftest import ON_PROCESSOR

# diffusers' own PRX pipeline warns of a class of its own
pytestmark = pytest.mark.filterwarnings("ignore:.*LoraLoaderMixin.*:FutureWarning")
EVERY = [*tiny.PIPELINES, tiny.INSTAFLOW]


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder("SD3"), tmp_path / "copy")


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", EVERY)
def test_parameters_are_counted_without_loading(tiny_folder, tiny_model, name) -> None:
    described = describe(tiny_folder(name))
    pipe = tiny_model(name).pipe
    for part, count in described.parts:
        module = getattr(pipe, part)
        state = {id(value): value for value in module.state_dict(keep_vars=True).values()}
        assert count == pytest.approx(sum(value.numel() for value in state.values()), rel=0.01)
    assert described.file_bytes == sum(
        path.stat().st_size for path in tiny_folder(name).rglob("*.safetensors")
    )
    assert networks_of(described).measured


@pytest.mark.parametrize("name", EVERY)
def test_the_class_of_every_folder_is_found(tiny_folder, name) -> None:
    described = describe(tiny_folder(name))
    assert is_instaflow(described) == (name == tiny.INSTAFLOW)
    found = pipeline_class(described).__name__
    assert found == (described.pipeline if name != tiny.INSTAFLOW else "StableDiffusionPipeline")
    assert found in {model.pipeline for model in CARDS} | {"StableDiffusionPipeline"}


def test_pickled_weights_are_refused(copy) -> None:
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(UnsuitableModelError, match="never loaded"):
        describe(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.update(_class_name=["pipeline", "Mine"]), "its own pipeline code"),
        (lambda index: index.update(vae=["my_code", "MyVae"]), "code of its own"),
        (lambda index: index.update(vae=["../../evil", "MyVae"]), "code of its own"),
        (lambda index: index.update(vae=["os.path", "MyVae"]), "code of its own"),
    ],
)
def test_code_of_its_own_is_refused(copy, change, message) -> None:
    rewrite(copy / "model_index.json", change)
    with pytest.raises(UnsuitableModelError, match=message):
        describe(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.update(_class_name="NoSuchPipeline"), "has no pipeline NoSuchPipeline"),
        (lambda index: index.update(_class_name="AutoencoderKL"), "has no pipeline"),
        (lambda index: index.update(_class_name="WanPipeline"), "makes films"),
        (lambda index: index.update(_class_name="DiTPipeline"), "from a prompt alone"),
    ],
)
def test_what_does_not_make_pictures_from_text_is_refused(copy, change, message) -> None:
    rewrite(copy / "model_index.json", change)
    with pytest.raises(UnsuitableModelError, match=message):
        pipeline_class(describe(copy))


def test_a_scheduler_of_diffusion_is_refused(copy) -> None:
    rewrite(copy / "model_index.json", lambda index: index.update(scheduler=["diffusers", "DDIMScheduler"]))
    with pytest.raises(UnsuitableModelError, match="none of flow matching"):
        load_pipeline(describe(copy), ON_PROCESSOR)


def test_what_is_cut_off_or_missing_is_said(copy, tmp_path) -> None:
    with pytest.raises(UnsuitableModelError, match=r"no model_index\.json"):
        describe(tmp_path)
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UnsuitableModelError, match="cut off"):
        describe(copy)
    weights.write_bytes(b"\xff" * 100)
    with pytest.raises(UnsuitableModelError, match="no safetensors file"):
        describe(copy)
    (copy / "model_index.json").write_text("[")
    with pytest.raises(UnsuitableModelError, match="cannot be read"):
        describe(copy)


def test_a_folder_without_a_part_it_needs_is_refused(copy) -> None:
    shutil.rmtree(copy / "text_encoder_2")
    with pytest.raises(UnsuitableModelError, match="lacks the text_encoder_2"):
        load_pipeline(describe(copy), ON_PROCESSOR)
    shutil.rmtree(copy / "tokenizer")
    with pytest.raises(UnsuitableModelError, match="lacks its tokenizer"):
        describe(copy)


def half(folder, parts=None):
    """The weights of all parts, or of some, as a repository of half precision has them."""
    for part in parts or [child.name for child in folder.iterdir() if child.is_dir()]:
        for weights in (folder / part).glob("*.safetensors"):
            numbers = {name: value.half() for name, value in load_file(weights).items()}
            save_file(numbers, weights.with_suffix(".fp16.safetensors"), {"format": "pt"})
            weights.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("parts", [None, ["transformer", "text_encoder_3"]], ids=["all", "some"])
def test_a_folder_of_half_precision_is_loaded_and_says_so(copy, parts) -> None:
    whole = describe(copy)
    assert whole.variant == ""
    half(copy, parts)
    described = describe(copy)
    assert described.variant == "fp16"
    assert dict(described.parts) == dict(whole.parts)
    assert described.file_bytes < whole.file_bytes
    model = load_model(described, ON_PROCESSOR)
    assert model.pipe.transformer.dtype == torch.float32
    (file,) = (copy / "transformer").glob("*.safetensors")
    name, value = next(iter(load_file(file).items()))
    assert torch.equal(model.pipe.transformer.state_dict()[name], value.float())


def test_full_precision_is_taken_where_every_network_has_it(copy) -> None:
    vae = copy / "vae"
    shutil.copy(vae / "diffusion_pytorch_model.safetensors", vae / "diffusion_pytorch_model.fp16.safetensors")
    described = describe(copy)
    assert described.variant == ""
    assert described.file_bytes == sum(
        path.stat().st_size for path in copy.rglob("*.safetensors") if ".fp16." not in path.name
    )


@pytest.mark.parametrize("shards", ["model.fp16-0000{}-of-00002", "model-0000{}-of-00002.fp16"])
def test_shards_of_half_precision_are_wanted_with_their_table(shards) -> None:
    index = {"_class_name": "X", "text_encoder": ["transformers", "T"], "vae": ["diffusers", "V"]}
    half_table = "text_encoder/model.safetensors.index.fp16.json"
    names = ["text_encoder/config.json", half_table, "vae/diffusion_pytorch_model.safetensors"]
    names += [f"text_encoder/{shards.format(k)}.safetensors" for k in (1, 2)]
    assert set(wanted_files(names, index)) == {"model_index.json", *names}
    names.remove(half_table)
    with pytest.raises(UnsuitableModelError, match="text_encoder is in 2 shards without their index"):
        wanted_files(names, index)


def test_shards_without_their_table_are_their_own_sentence(copy) -> None:
    part = copy / "transformer"
    single = part / "diffusion_pytorch_model.safetensors"
    first = part / "diffusion_pytorch_model-00001-of-00002.safetensors"
    shutil.copy(single, first)
    assert describe(copy).file_bytes == sum(
        path.stat().st_size for path in copy.rglob("*.safetensors") if path != first
    )
    single.rename(part / "diffusion_pytorch_model-00002-of-00002.safetensors")
    with pytest.raises(UnsuitableModelError, match=r"transformer is in 2 shards without their index"):
        describe(copy)


def test_no_weights_at_all_are_not_called_pickles(copy) -> None:
    (copy / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(UnsuitableModelError, match="vae has no weights: expected"):
        describe(copy)


def test_every_way_a_file_is_not_whole_is_its_own_sentence(tmp_path) -> None:
    save_file({"a": torch.zeros(30, 5), "b": torch.zeros(7).half()}, tmp_path / "x.safetensors")
    whole = (tmp_path / "x.safetensors").read_bytes()
    cut = tmp_path / "cut.safetensors"
    for content, message in (
        (b"", "cut.safetensors is empty"),
        (whole[:5], "cut off within its header: 5 bytes"),
        (whole[:40], "cut off within its header: 40 bytes"),
        (whole[:-1], f"is cut off: {len(whole) - 1} of {len(whole)} bytes"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>not found</html>", "no safetensors file"),
        ((2).to_bytes(8, "little") + b"[]", "header makes no sense"),
        ((8).to_bytes(8, "little") + b'{"a": 1}', "header makes no sense"),
    ):
        cut.write_bytes(content)
        with pytest.raises(UnsuitableModelError, match=message):
            parameter_count(cut)
    assert parameter_count(tmp_path / "x.safetensors") == 157


def test_a_missing_shard_is_noticed(copy) -> None:
    part = copy / "transformer"
    name = "diffusion_pytorch_model-00001-of-00002.safetensors"
    (part / "diffusion_pytorch_model.safetensors").rename(part / name)
    shards = {"a": name, "b": name.replace("-00001-", "-00002-")}
    index = part / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(UnsuitableModelError, match="00002-of-00002"):
        describe(copy)
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    assert "transformer" in dict(describe(copy).parts)


def test_only_full_precision_and_shards_with_an_index_are_wanted() -> None:
    index = {
        "_class_name": "X",
        "transformer": ["diffusers", "T"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "image_encoder": [None, None],
    }
    names = [
        "model_index.json",
        "README.md",
        "flux1.safetensors",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        "transformer/diffusion_pytorch_model.safetensors.index.fp16.json",
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
        "transformer/diffusion_pytorch_model.safetensors",
        "transformer/diffusion_pytorch_model.fp16.safetensors",
        "transformer/old/config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "tokenizer/run.py",
    ]
    wanted = wanted_files(names, index)
    assert set(wanted) == {names[0], names[3], names[4], names[6], names[7], names[11], names[12]}
    single = [name for name in names if "index" not in name or name == "model_index.json"]
    assert "transformer/diffusion_pytorch_model.safetensors" in wanted_files(single, index)


def test_parts_that_point_out_of_the_folder_are_no_parts() -> None:
    index = {"_class_name": "X", "../elsewhere": ["diffusers", "T"], "a/b": ["diffusers", "T"]}
    assert components(index) == {}


def test_the_count_is_of_numbers_not_bytes(tmp_path) -> None:
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7).half()}, tmp_path / "x.safetensors")
    assert parameter_count(tmp_path / "x.safetensors") == 22


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_plan_is_what_is_loaded(tiny_folder, dtype) -> None:
    plan = Plan(Placement.PROCESSOR, "cpu", dtype, dropped=("text_encoder_3",), tiling=True)
    model = load_model(describe(tiny_folder("SD3")), plan)
    assert model.pipe.transformer.dtype == getattr(torch, dtype)
    assert model.pipe.text_encoder_3 is None
    assert model.pipe.vae.use_tiling
    assert "linear map" in model.preview_kind


@pytest.mark.parametrize("placement", [Placement.MODEL_OFFLOAD, Placement.GROUP_OFFLOAD, Placement.RESIDENT])
def test_offloading_without_an_accelerator_is_refused(tiny_folder, placement) -> None:
    described = describe(tiny_folder("SD3"))
    with pytest.raises(ValueError, match="needs an accelerator"):
        load_pipeline(described, Plan(placement, "cpu", "float32"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="this machine has none"):
            load_pipeline(described, Plan(placement, "cuda:0", "float32"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("placement", [Placement.MODEL_OFFLOAD, Placement.GROUP_OFFLOAD, Placement.RESIDENT])
def test_every_placement_draws_the_same_picture(tiny_folder, tiny_model, placement) -> None:
    from fmstudio.image.hub.sample import Request

    plan = Plan(placement, "cuda:0", "float32")
    model = load_model(describe(tiny_folder("SD3")), plan)
    request = Request("a red fox", step_count=3, side=32)
    *_, there = model.sample(request)
    *_, here = tiny_model("SD3").sample(request)
    assert (there.pictures.float() - here.pictures.float()).abs().max() <= 2


def test_cards_are_complete_and_honest() -> None:
    assert len({model.id for model in CARDS}) == len(CARDS)
    assert {"StableDiffusion3Pipeline", "FluxPipeline", "Flux2KleinPipeline", "InstaFlow"} <= {
        model.pipeline for model in CARDS
    }
    fields = set(ModelCard.__dataclass_fields__)
    for model in CARDS:
        assert set(model.unchecked) <= fields
        assert len(model.revision) == 40 or model.pipeline == "PRXPipeline"
        assert model.licence
        assert model.least_guidance <= model.guidance
        assert model.commercial or "non-commercial" in model.licence or "not for commercial" in model.licence
        assert networks_of_card(model).parts
        assert card(model.id) is model
    with pytest.raises(KeyError, match="there are: "):
        card("nobody/nothing")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"id": "flux"}, "owner/name"), ({"side": 1000}, "64 divides"), ({"optional": ("x",)}, "must be among")],
)
def test_cards_that_make_no_sense(changes, message) -> None:
    good = {
        "id": "a/b",
        "title": "t",
        "pipeline": "P",
        "licence": "MIT",
        "parts": (("unet", 1.0),),
        "steps": 1,
        "guidance": 0.0,
    }
    with pytest.raises(ValueError, match=message):
        ModelCard(**(good | changes))


def test_models_of_other_programs_are_found_in_the_hubs_cache(tiny_folder, tmp_path, monkeypatch) -> None:
    import huggingface_hub

    commit = "f" * 40
    repository = tmp_path / "models--some--model"
    shutil.copytree(tiny_folder("SD3"), repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setenv("FMSTUDIO_HUB_FOLDER", str(tmp_path / "own"))
    real = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda *arguments, **named: real(*arguments, **named, cache_dir=tmp_path),
    )
    found = find("some/model")
    assert found is not None
    assert found.commit == commit
    assert find("some/model", revision="v2") is None
    assert find("some/other") is None
    shutil.rmtree(repository / "snapshots" / commit / "text_encoder_3")
    assert find("some/model") is None
    assert find("some/model", without=("text_encoder_3",)) is not None
