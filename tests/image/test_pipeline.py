from pathlib import Path

import pytest
import torch

from fmstudio.folders import MODELS
from fmstudio.image import pipeline
from fmstudio.image.card import Card, save_card
from fmstudio.image.folder import load_model, save_model
from fmstudio.image.models import Backbones, backbone, backbone_names, class_names, repository_models
from fmstudio.image.pipeline import RectifiedFlowPipeline
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.sampling import sample
from fmstudio.image.scores.classifier import judge, load_classifier
from fmstudio.image.scores.metrics import class_accuracy

NAMES = ("top", "middle", "bottom")


@pytest.fixture
def folder(tiny_net, tmp_path):
    save_model(tmp_path / "tiny", tiny_net, NAMES)
    return tmp_path / "tiny"


def test_a_saved_model_is_the_model_in_half_precision(folder, tiny_net) -> None:
    model = load_model(folder)
    assert model.class_names == NAMES
    assert model.net.image_shape == (1, 8, 8)
    for saved, original in zip(model.net.parameters(), tiny_net.parameters(), strict=True):
        assert torch.equal(saved, original.half().float())


def test_unet_and_scheduler_load_plainly(folder) -> None:
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    assert UNet2DModel.from_pretrained(folder, subfolder="unet").config["in_channels"] == 4
    FlowMatchEulerDiscreteScheduler.from_pretrained(folder, subfolder="scheduler")


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_pipeline_samples_what_our_solver_samples(folder, guidance) -> None:
    pipe, net = RectifiedFlowPipeline.from_pretrained(folder), load_model(folder).net
    noise = draw_noise((3, 1, 8, 8), 0)
    made = pipe([0, 1, 3], 5, guidance, latents=noise, output_type="pt").images
    ours = sample(GuidedField(net, torch.tensor([0, 1, 3]), guidance), noise, 5)
    assert torch.allclose(made, (ours / 2 + 0.5).clamp(0, 1), atol=2e-6)


def test_plain_diffusers_runs_the_folder(folder) -> None:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    plain = DiffusionPipeline.from_pretrained(
        str(folder), custom_pipeline=str(folder), trust_remote_code=True
    )
    ours = RectifiedFlowPipeline.from_pretrained(folder)
    first, second = (
        pipe([0, 1], 2, generator=torch.Generator().manual_seed(4), output_type="np").images
        for pipe in (plain, ours)
    )
    assert first.shape == (2, 8, 8, 1)
    assert (first == second).all()


def test_the_pipeline_makes_pictures_and_refuses_nonsense(folder) -> None:
    pipe = RectifiedFlowPipeline.from_pretrained(folder)
    (picture,) = pipe(pipe.labels_of(["middle"]), 1).images
    assert picture.size == (8, 8)
    with pytest.raises(ValueError, match="means no class"):
        pipe([4])
    with pytest.raises(ValueError, match="at least 1 step"):
        pipe([0], 0)
    with pytest.raises(ValueError, match="has shape"):
        pipe([0], 1, latents=torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="no classes of this model"):
        pipe.labels_of(["left"])


def test_a_folder_without_a_model_is_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model_index\.json"):
        load_model(tmp_path)


def test_backbones_load_once_and_name_what_there_is(folder, tmp_path) -> None:
    models = Backbones(tmp_path, torch.device("cpu"))
    assert [entry.name for entry in models.entries()] == ["tiny"]
    assert models.entries()[0].card.short_title == "tiny"
    save_card(folder, Card("A tiny model", "1-RF"))
    assert models.entries()[0].card.short_title == "1-RF"
    assert models.load("tiny") is models.load("tiny")
    with pytest.raises(KeyError, match="there are: tiny"):
        models.load("huge")


@pytest.mark.slow
@pytest.mark.parametrize("name", backbone_names())
def test_plain_diffusers_runs_a_shipped_folder_to_the_images_of_this_package(name) -> None:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    folder = str(MODELS / name)
    pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder, trust_remote_code=True)
    model = backbone(name)
    noise = torch.randn((3, *model.net.image_shape), generator=torch.Generator().manual_seed(0))
    made = pipe([0, 1, 2], 2, latents=noise, output_type="pt").images
    ours = sample(GuidedField(model.net, torch.arange(3)), noise, 2)
    assert torch.allclose(made, (ours.clamp(-1, 1) + 1) / 2, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in backbone_names() if repository_models().metric_of(n)])
def test_a_shipped_model_draws_what_it_is_asked_for(name) -> None:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    folder = str(MODELS / name)
    pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder, trust_remote_code=True)
    asked = torch.arange(30) % 10
    made = pipe(asked.tolist(), 8, 1.5, generator=torch.Generator().manual_seed(0), output_type="pt").images
    judged = judge(load_classifier(MODELS / "fashion-metric"), made * 2 - 1)
    assert class_accuracy(judged.predicted, asked) >= 0.85
    spread = made.reshape(3, 10, -1).std(dim=0).mean()
    assert spread > 0.05  # three samples of a class are not one picture: that would give 0


def test_shipped_models_share_one_loaded_copy() -> None:
    name = backbone_names()[0]
    assert backbone(name) is backbone(name)
    assert backbone(name).class_names == class_names(name)


@pytest.mark.parametrize("name", backbone_names())
def test_a_shipped_folder_carries_the_pipeline_of_this_version(name) -> None:
    assert (MODELS / name / "pipeline.py").read_text() == Path(pipeline.__file__).read_text()


def test_shipped_files_stay_small() -> None:
    sizes = [path.stat().st_size for path in MODELS.rglob("*") if path.is_file()]
    assert max(sizes) < 16 * 2**20
    assert sum(sizes) < 60e6
