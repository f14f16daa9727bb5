"""Looks at latents: the fit is the least-squares one, and exact where an autoencoder is linear."""

from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from diffusers import AutoencoderTiny
from torch.nn.functional import avg_pool2d

from fmstudio.image.hub.looks import decode_tiny, encode, fit_linear_preview, for_tiny_decoder, mosaic


class LinearVae:
    """Averages 8 × 8 pixels and mixes colours into four channels by an invertible map."""

    dtype, device, config = torch.float32, torch.device("cpu"), {}
    mix = torch.tensor([[1.0, 0.2, -0.3], [0.1, -1.0, 0.5], [0.4, 0.3, 0.9], [0.0, 1.0, 1.0]])

    def encode(self, picture):
        latents = torch.einsum("brhw,cr->bchw", avg_pool2d(picture, 8), self.mix) + 0.7
        return SimpleNamespace(latent=latents)


def test_the_fit_is_exact_for_a_linear_autoencoder() -> None:
    preview = fit_linear_preview(LinearVae())
    assert preview.error < 1e-3
    colours = torch.rand(1, 3, 16, 16) * 2 - 1
    seen = preview(LinearVae().encode(colours).latent)
    assert torch.allclose(seen, avg_pool2d(colours, 8), atol=5e-3)


def test_the_mosaic_shows_many_colours_and_is_always_the_same() -> None:
    picture = mosaic()
    assert picture.shape == (2, 3, 256, 256)
    assert torch.equal(picture, mosaic())
    assert picture.min() > -1.001
    assert picture.max() < 1.001
    assert len(picture[0, :, ::16, ::16].flatten(1).unique(dim=1).T) > 200
    assert picture.std(dim=(2, 3)).min() > 0.4


@pytest.mark.parametrize("name", ["SD3", "Flux2", "Sana", "QwenImage"])
def test_every_kind_of_autoencoder_is_fitted(tiny_model, name) -> None:
    """The fit leaves less over than the best constant colour does."""
    vae = tiny_model(name).pipe.vae
    preview = fit_linear_preview(vae, 64)
    assert encode(vae, mosaic(64)).ndim == 4
    assert 0 < preview.error < mosaic(64).std()


def test_a_small_decoder_gets_latents_as_the_network_sees_them(tiny_model, generator) -> None:
    pipe = tiny_model("SD3").pipe  # scaling 1.5, shift 0.1
    latents = torch.randn(1, 4, 8, 8, generator=generator)
    seen = for_tiny_decoder(pipe, latents / 1.5 + 0.1)
    assert torch.allclose(seen, latents, atol=1e-6)
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
        latent_channels=4,
    )
    picture = decode_tiny(tiny, seen)
    assert picture.shape[:2] == (1, 3)
    assert picture.abs().max() <= 1


def test_an_autoencoder_that_waits_on_the_cpu_gets_pictures_where_it_will_run() -> None:
    """Under offloading its hook moves it to the accelerator, but not what it is given."""

    class Offloaded:
        config: ClassVar[dict[str, int]] = {}
        device, dtype = torch.device("cpu"), torch.float32
        _hf_hook = SimpleNamespace(execution_device=torch.device("meta"))

        def encode(self, pixels):
            assert pixels.device.type == "meta"
            return SimpleNamespace(latent=torch.ones(1, 4, 2, 2))

    assert encode(Offloaded(), torch.zeros(1, 3, 16, 16)).shape == (1, 4, 2, 2)
