import pytest
import torch

from fmstudio.image.folder import load_model, save_model
from fmstudio.image.networks import (
    TransformerDesign,
    UNetDesign,
    VelocityNet,
    build_transformer,
    build_unet,
)
from fmstudio.image.pipeline import RectifiedFlowPipeline
from fmstudio.image.sampling.field import GuidedField, draw_noise
from fmstudio.image.sampling.sampling import sample

NAMES = ("top", "middle", "bottom")


def make(kind: str) -> VelocityNet:
    torch.manual_seed(0)
    if kind == "unet":
        net = build_unet(UNetDesign(8, 3, 3, channels=(16, 16), groups=8))
    else:
        net = build_transformer(TransformerDesign(8, 3, 3, patch=2, width=16, layers=2, heads=2))
        with torch.no_grad():
            for weight in net.parameters():  # the fresh one answers 0
                weight.add_(0.1 * torch.randn_like(weight))
    return net.eval().requires_grad_(False)


@pytest.fixture(params=["unet", "transformer"])
def net(request):
    return make(request.param)


def test_both_networks_wear_one_interface(net) -> None:
    assert net.image_shape == (3, 8, 8)
    assert net.no_class == 3
    x, labels = draw_noise((4, 3, 8, 8), 0), torch.arange(4)
    v = net(x, torch.tensor(0.5), labels)
    assert v.shape == x.shape
    assert torch.allclose(v, net(x, torch.full((4,), 0.5), labels), atol=1e-6)
    assert (v - net(x, torch.tensor(0.2), labels)).abs().max() > 1e-4
    assert (v - net(x, torch.tensor(0.5), labels.flip(0))).abs().max() > 1e-4


def test_a_row_does_not_see_the_others(net) -> None:
    x, labels = draw_noise((4, 3, 8, 8), 0), torch.arange(4)
    v = net(x, torch.tensor(0.5), labels)
    assert torch.allclose(v[1:2], net(x[1:2], torch.tensor(0.5), labels[1:2]), atol=1e-5)


def test_training_mode_draws_nothing(net) -> None:
    x, labels = draw_noise((32, 3, 8, 8), 0), torch.zeros(32, dtype=torch.long)
    before = torch.get_rng_state()
    trained, judged = (net.train(mode)(x, torch.tensor(0.5), labels) for mode in (True, False))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.allclose(trained, judged, atol=1e-6)


def test_a_fresh_transformer_answers_zero() -> None:
    net = build_transformer(TransformerDesign(8, 1, 3, width=16, layers=1, heads=2))
    v = net(draw_noise((2, 1, 8, 8), 0), torch.tensor(0.5), torch.tensor([0, 3]))
    assert torch.equal(v, torch.zeros_like(v))


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_a_saved_network_is_read_back_and_run_by_diffusers(net, tmp_path, guidance) -> None:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    save_model(tmp_path, net, NAMES)
    read = load_model(tmp_path).net
    assert read.part == net.part
    save_model(tmp_path / "again", read, NAMES)
    assert str(tmp_path) not in (tmp_path / "again" / net.part / "config.json").read_text()
    for mine, theirs in zip(net.parameters(), read.parameters(), strict=True):
        assert torch.equal(mine.half().float(), theirs)
    noise = draw_noise((3, 3, 8, 8), 0)
    ours = sample(GuidedField(read, torch.tensor([0, 1, 3]), guidance), noise, 5)
    plain = DiffusionPipeline.from_pretrained(
        str(tmp_path), custom_pipeline=str(tmp_path), trust_remote_code=True
    )
    made = plain([0, 1, 3], 5, guidance, latents=noise, output_type="pt").images
    assert torch.allclose(made, (ours / 2 + 0.5).clamp(0, 1), atol=5e-6)


def test_the_parts_load_with_plain_diffusers_classes(tmp_path) -> None:
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    save_model(tmp_path, make("transformer"), NAMES)
    assert DiTTransformer2DModel.from_pretrained(tmp_path, subfolder="transformer").config["patch_size"] == 2
    FlowMatchEulerDiscreteScheduler.from_pretrained(tmp_path, subfolder="scheduler")


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the patch of 4; got 30"):
        TransformerDesign(30, 1, 10)
    with pytest.raises(ValueError, match="2 × 3 heads"):
        TransformerDesign(28, 1, 10, width=64)
    with pytest.raises(ValueError, match="multiple of 4; got 30"):
        UNetDesign(30, 1, 10)
    with pytest.raises(ValueError, match="one of them"):
        RectifiedFlowPipeline(None)
