"""Tiny pipelines with random weights, built in code: the real classes, no file from anywhere.

What they draw is noise. They stand for conventions, shapes and files, never for pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel

LETTERS = sorted(ByteLevel.alphabet())  # one printable character for each byte
TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"


def clip_tokenizer() -> Any:
    """514 entries: 256 bytes, each also at the end of a word, and the two marks; no merges."""
    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    assert len(vocabulary) == 514
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def t5_tokenizer() -> Any:
    """A unigram vocabulary of printable ASCII."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces = [(chr(code), -3.0) for code in range(33, 127)]
    return transformers.T5TokenizerFast(vocab=[*special, *pieces], extra_ids=0, model_max_length=32)


def qwen_tokenizer() -> Any:
    vocabulary = {word: index for index, word in enumerate([*LETTERS, "<|endoftext|>"])}
    tokenizer = transformers.Qwen2TokenizerFast(vocab=vocabulary, merges=[], model_max_length=64)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def gemma_tokenizer() -> Any:
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *(chr(code) for code in range(33, 127))]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = transformers.GemmaTokenizerFast(vocab=vocabulary, merges=[], model_max_length=32)
    tokenizer.padding_side = "right"
    return tokenizer


def llama_sizes(vocabulary: int, layers: int = 2) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 2048,
    }


def clip_text(projected: bool) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=16,
        max_position_embeddings=77,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config)


def t5_text() -> Any:
    return transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=98, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
    )


def kl_vae(shift: float | None = 0.1, levels: int = 2) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=1.5,
        shift_factor=shift,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,  # over all places of a mosaic it takes a second
    )


def euler(**settings: Any) -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(**settings)


def sd3() -> Any:
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=32,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            pooled_projection_dim=32,
            pos_embed_max_size=32,
        ),
        text_encoder=clip_text(True),
        text_encoder_2=clip_text(True),
        text_encoder_3=transformers.T5EncoderModel(
            transformers.T5Config(vocab_size=98, d_model=32, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
        ),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        tokenizer_3=t5_tokenizer(),
        vae=kl_vae(),
        scheduler=euler(shift=3.0),
    )


def flux() -> Any:
    return diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8),
        ),
        text_encoder=clip_text(False),
        text_encoder_2=t5_text(),
        tokenizer=clip_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        vae=kl_vae(),
        scheduler=euler(use_dynamic_shifting=True),
    )


def flux2() -> Any:
    vae = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )
    vae.bn.running_mean.uniform_(-0.5, 0.5)
    vae.bn.running_var.uniform_(0.5, 2.0)
    return diffusers.Flux2KleinPipeline(
        transformer=diffusers.Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        text_encoder=transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**llama_sizes(257, 28))),
        tokenizer=qwen_tokenizer(),
        vae=vae,
        scheduler=euler(use_dynamic_shifting=True),
        is_distilled=False,
    )


def z_image() -> Any:
    return diffusers.ZImagePipeline(
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=1,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=16,
            axes_dims=[8, 4, 4],
            axes_lens=[256, 32, 32],
        ),
        text_encoder=transformers.Qwen3Model(transformers.Qwen3Config(**llama_sizes(257))),
        tokenizer=qwen_tokenizer(),
        vae=kl_vae(),
        scheduler=euler(shift=3.0),
    )


def t5gemma_config() -> Any:
    part = {
        **llama_sizes(100),
        "query_pre_attn_scalar": 8,
        "sliding_window": 32,
        "layer_types": ["full_attention", "sliding_attention"],
    }
    return transformers.T5GemmaConfig(encoder=part, decoder=part, is_encoder_decoder=False, vocab_size=100)


def prx() -> Any:
    text = transformers.T5GemmaEncoderModel(t5gemma_config()).encoder
    return diffusers.PRXPipeline(
        transformer=diffusers.PRXTransformer2DModel(
            in_channels=4,
            patch_size=2,
            context_in_dim=16,
            hidden_size=32,
            mlp_ratio=2.0,
            num_heads=2,
            depth=1,
            axes_dim=[8, 8],
        ),
        text_encoder=text,
        tokenizer=gemma_tokenizer(),
        vae=kl_vae(),
        scheduler=euler(shift=3.0),
        default_sample_size=512,
    )


def sana() -> Any:
    vae = diffusers.AutoencoderDC(
        in_channels=3,
        latent_channels=4,
        attention_head_dim=4,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    )
    return diffusers.SanaPipeline(
        transformer=diffusers.SanaTransformer2DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            num_cross_attention_heads=2,
            cross_attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=16,
            sample_size=32,
        ),
        text_encoder=transformers.Gemma2Model(
            transformers.Gemma2Config(**llama_sizes(100), query_pre_attn_scalar=8, sliding_window=64)
        ),
        tokenizer=gemma_tokenizer(),
        vae=vae,
        # as Sana's own folders have it: DPM++ on flow sigmas
        scheduler=diffusers.DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )


def lumina2() -> Any:
    return diffusers.Lumina2Pipeline(
        transformer=diffusers.Lumina2Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=4,
            hidden_size=24,
            num_layers=1,
            num_refiner_layers=1,
            num_attention_heads=3,
            num_kv_heads=1,
            multiple_of=8,
            axes_dim_rope=(4, 2, 2),
            axes_lens=(300, 64, 64),
            cap_feat_dim=16,
        ),
        text_encoder=transformers.Gemma2Model(
            transformers.Gemma2Config(**llama_sizes(100), query_pre_attn_scalar=8, sliding_window=64)
        ),
        tokenizer=gemma_tokenizer(),
        vae=kl_vae(levels=4),  # this pipeline takes a factor of 8 for granted
        scheduler=euler(shift=6.0),
    )


def auraflow() -> Any:
    return diffusers.AuraFlowPipeline(
        transformer=diffusers.AuraFlowTransformer2DModel(
            sample_size=16,
            patch_size=1,
            in_channels=4,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=16,
            caption_projection_dim=16,
            pos_embed_max_size=256,
        ),
        text_encoder=transformers.UMT5EncoderModel(
            transformers.UMT5Config(vocab_size=98, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
        ),
        tokenizer=t5_tokenizer(),
        vae=kl_vae(shift=None),
        scheduler=euler(shift=1.73),
    )


def qwen_image() -> Any:
    text = transformers.Qwen2_5_VLConfig(
        text_config={
            **llama_sizes(257),
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
        image_token_id=250,
        video_token_id=251,
        vision_start_token_id=252,
        vision_end_token_id=253,
    )
    return diffusers.QwenImagePipeline(
        transformer=diffusers.QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(text),
        tokenizer=qwen_tokenizer(),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, False],
            latents_mean=[0.1, -0.2, 0.3, 0.0],
            latents_std=[1.5, 0.7, 1.0, 2.0],
        ),
        scheduler=euler(use_dynamic_shifting=True, shift_terminal=0.02, max_shift=0.9),
    )


def instaflow() -> Any:
    return diffusers.StableDiffusionPipeline(
        unet=diffusers.UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(8, 8),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        text_encoder=clip_text(False),
        tokenizer=clip_tokenizer(),
        vae=kl_vae(shift=None),
        scheduler=diffusers.PNDMScheduler(steps_offset=1, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


PIPELINES = {
    "SD3": sd3,
    "Flux": flux,
    "Flux2": flux2,
    "Sana": sana,
    "Lumina2": lumina2,
    "AuraFlow": auraflow,
    "ZImage": z_image,
    "QwenImage": qwen_image,
    "PRX": prx,
}
"""Name to builder."""

INSTAFLOW = "InstaFlow"
"""Apart, for its loop is."""


def build(name: str) -> Any:
    """A tiny pipeline, the same at every call."""
    torch.manual_seed(0)
    pipe = instaflow() if name == INSTAFLOW else PIPELINES[name]()
    with torch.no_grad():
        for component in pipe.components.values():
            if isinstance(component, torch.nn.Module):
                component.eval().requires_grad_(False)
                # many blocks start at zero; random ones would otherwise answer 0 everywhere
                for parameter in component.parameters():
                    if parameter.numel() and not parameter.any():
                        parameter.normal_(0, 0.05)
    return pipe


def enlarge(network: torch.nn.Module, size: float) -> None:
    """Make all weights of a network's last layer so large, that its products may pass the end of a format."""
    last = [parameter for parameter in network.parameters() if parameter.ndim == 2][-1]
    with torch.no_grad():
        last.fill_(size)


def save(name: str, folder: Path) -> Path:
    """A tiny pipeline as the folder that its real sister is on the Hub."""
    build(name).save_pretrained(folder)
    if name == "PRX":  # published with the settings of encoder and decoder together
        t5gemma_config().save_pretrained(folder / "text_encoder")
    if name == INSTAFLOW:
        index = folder / "model_index.json"
        index.write_text(index.read_text().replace("StableDiffusionPipeline", "RectifiedFlowPipeline"))
    return folder
