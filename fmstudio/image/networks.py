"""The velocity networks: a small class-conditional U-Net on 2 × 2 pixel blocks, and a transformer on patches.

diffusers' `UNet2DModel` works on images whose 2 × 2 blocks became channels (`pixel_unshuffle`): 28 × 28 × 1
turns into 14 × 14 × 4, which makes it several times cheaper. The unshuffling is not part of the saved
network: the folder's `unet` is a plain UNet2DModel on 4 channels, and `VelocityNet` here and the pipeline
both wrap it. diffusers' `DiTTransformer2DModel` cuts the image into patches itself and needs no unshuffling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

if TYPE_CHECKING:
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
    from diffusers.models.unets.unet_2d import UNet2DModel

TIMESTEP_SCALE = 1000.0
"""diffusers hands a network 1000 t, not t."""


@dataclass(frozen=True)
class UNetDesign:
    """The shape of a velocity U-Net.

    Args:
        size: side of the images in pixels; a multiple of patch · 2^(levels − 1).
        image_channels: 1 for grey, 3 for colour.
        class_count: number of classes; the label `class_count` stands for "no class".
        patch: side of the pixel blocks that become channels.
        channels: width of each level, multiples of `groups`.
        layers: residual blocks per level.
        groups: groups of the group norms.
    """

    size: int
    image_channels: int
    class_count: int
    patch: int = 2
    channels: tuple[int, ...] = (64, 128)
    layers: int = 1
    groups: int = 16

    def __post_init__(self) -> None:
        block = self.patch * 2 ** (len(self.channels) - 1)
        if self.size % block:
            raise ValueError(
                f"With patch {self.patch} and {len(self.channels)} levels the image side must be a multiple"
                f" of {block}; got {self.size}. Choose another size."
            )
        if any(width % self.groups for width in self.channels):
            raise ValueError(f"Channels {self.channels} must be multiples of the {self.groups} norm groups.")


@dataclass(frozen=True)
class TransformerDesign:
    """The shape of a velocity transformer.

    Args:
        size: side of the images in pixels; a multiple of patch.
        image_channels: 1 for grey, 3 for colour.
        class_count: number of classes; the label `class_count` stands for "no class".
        patch: side of the square that becomes one token.
        width: of a token, a multiple of heads.
        layers: transformer blocks.
        heads: attention heads.
    """

    size: int
    image_channels: int
    class_count: int
    patch: int = 4
    width: int = 192
    layers: int = 8
    heads: int = 3

    def __post_init__(self) -> None:
        if self.size % self.patch:
            raise ValueError(
                f"The image side must be a multiple of the patch of {self.patch}; got {self.size}."
            )
        if self.width % (2 * self.heads):
            raise ValueError(f"The width must be a multiple of 2 × {self.heads} heads; got {self.width}.")


class VelocityNet(nn.Module):
    """v(x, t, class) by a diffusers U-Net on pixel blocks or a diffusers transformer.

    Args:
        network: a UNet2DModel with `num_class_embeds` = classes + 1, or a DiTTransformer2DModel with
            `num_embeds_ada_norm` = classes; in both the last of classes + 1 labels means "no class".
        patch: side of the pixel blocks that become channels; 1 leaves the image as it is.
    """

    def __init__(self, network: UNet2DModel | DiTTransformer2DModel, patch: int = 2):
        from diffusers.models.embeddings import LabelEmbedding

        super().__init__()
        self.network = network
        self.patch = patch
        for module in network.modules():
            # It would drop labels by torch's global generator; the batches do that, reproducibly.
            if isinstance(module, LabelEmbedding):
                module.dropout_prob = 0.0

    @property
    def part(self) -> str:
        """The network's name among the parts of a diffusers pipeline: unet or transformer."""
        return "transformer" if "num_embeds_ada_norm" in self.network.config else "unet"

    @property
    def no_class(self) -> int:
        """The label that stands for "no class"."""
        config = self.network.config
        return int(config.get("num_embeds_ada_norm") or config["num_class_embeds"] - 1)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images."""
        side = int(self.network.config["sample_size"]) * self.patch
        return (int(self.network.config["in_channels"]) // self.patch**2, side, side)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The velocity at x and t, pointing from data to noise.

        Args:
            x: images, shape (batch, channels, side, side).
            t: times in [0, 1], shape () or (batch,).
            labels: int64, shape (batch,), `no_class` for an unconditional answer.

        Returns:
            v, shape of x.
        """
        blocks = pixel_unshuffle(x, self.patch)
        times = (t * TIMESTEP_SCALE).expand(len(x))
        v = self.network(blocks, times, class_labels=labels, return_dict=False)[0]
        return pixel_shuffle(v, self.patch)


def build_unet(design: UNetDesign) -> VelocityNet:
    """A velocity U-Net with fresh random weights, drawn from torch's global generator."""
    from diffusers.models.unets.unet_2d import UNet2DModel

    levels = len(design.channels)
    unet = UNet2DModel(
        sample_size=design.size // design.patch,
        in_channels=design.image_channels * design.patch**2,
        out_channels=design.image_channels * design.patch**2,
        down_block_types=("DownBlock2D",) * levels,
        up_block_types=("UpBlock2D",) * levels,
        block_out_channels=design.channels,
        layers_per_block=design.layers,
        attention_head_dim=min(64, design.channels[-1]),
        norm_num_groups=design.groups,
        num_class_embeds=design.class_count + 1,
        resnet_time_scale_shift="scale_shift",
    )
    return VelocityNet(unet, design.patch)


def build_transformer(design: TransformerDesign) -> VelocityNet:
    """A velocity transformer with fresh random weights, drawn from torch's global generator.

    Every block starts as the identity and the answer as 0: the layers that scale, shift and gate a block
    and the last one start at 0. Source: Peebles & Xie 2023, arXiv:2212.09748, section 3.2 (adaLN-Zero).
    """
    from diffusers.models.embeddings import LabelEmbedding
    from diffusers.models.normalization import AdaLayerNormZero
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel

    transformer = DiTTransformer2DModel(
        num_attention_heads=design.heads,
        attention_head_dim=design.width // design.heads,
        in_channels=design.image_channels,
        num_layers=design.layers,
        sample_size=design.size,
        patch_size=design.patch,
        num_embeds_ada_norm=design.class_count,
    )
    zeroed = [transformer.proj_out_1, transformer.proj_out_2]
    zeroed += [module.linear for module in transformer.modules() if isinstance(module, AdaLayerNormZero)]
    for layer in zeroed:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    for module in transformer.modules():
        if isinstance(module, LabelEmbedding):
            nn.init.normal_(module.embedding_table.weight, std=0.02)
    return VelocityNet(transformer, patch=1)
