"""The models on offer: one card each, with what is known of it and what is not.

A card's sizes are the numbers of parameters that its authors publish, rounded; once a model is on disk,
`fmstudio.image.hub.describe` counts them in its files and the counts take the cards' place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

EULER = "euler"
UNIPC = "unipc"
"""The solvers that run on every pipeline here: Euler steps, and UniPC on flow sigmas."""

_T5_XXL = 4.76


@dataclass(frozen=True)
class ModelCard:
    """What is known about one model of the Hub.

    Args:
        id: the repository, as ``owner/name``.
        title: what the page calls it.
        pipeline: the diffusers class that runs it.
        licence: in words, with what it forbids.
        parts: the networks with their parameters in billions, such as (("transformer", 2.0), …).
        steps: the step count that its authors recommend.
        guidance: the guidance that its authors recommend.
        side: of the square image it is at home with, in pixels.
        revision: the commit that is loaded, so that a model stays what it was. "main" where none is known to
            work: then the commit that a download resolved to is shown, and giving it as the revision pins it.
        gated: whether one must log in and accept terms before the files can be fetched.
        commercial: whether the licence allows commercial use.
        optional: parts that the pipeline can do without, at a cost that `note` states.
        half: 16-bit formats that its authors or diffusers' documentation use it with.
        least_guidance: the smallest value its pipeline accepts.
        solvers: keys of `fmstudio.image.hub.steps.SOLVERS`.
        tiny_vae: repository of an `AutoencoderTiny` for its latents, or "".
        note: one sentence for the page.
        unchecked: names of fields that were not compared with the model's own card.
    """

    id: str
    title: str
    pipeline: str
    licence: str
    parts: tuple[tuple[str, float], ...]
    steps: int
    guidance: float
    side: int = 1024
    revision: str = "main"
    gated: bool = False
    commercial: bool = True
    optional: tuple[str, ...] = ()
    half: tuple[str, ...] = ("bfloat16",)
    least_guidance: float = 0.0
    solvers: tuple[str, ...] = (EULER, UNIPC)
    tiny_vae: str = ""
    note: str = ""
    unchecked: tuple[str, ...] = ("parts",)

    def __post_init__(self) -> None:
        if self.id.count("/") != 1 or not all(self.id.split("/")):
            raise ValueError(f"A model's id is owner/name; got {self.id!r}.")
        if self.steps < 1 or self.side % 64:
            raise ValueError(
                f"{self.id}: steps ≥ 1 and a side that 64 divides; got {self.steps}, {self.side}."
            )
        names = {name for name, _ in self.parts}
        if not names or not set(self.optional) <= names:
            raise ValueError(f"{self.id}: optional parts {self.optional} must be among its parts {names}.")

    @property
    def url(self) -> str:
        """Its page on the Hub."""
        return f"https://huggingface.co/{self.id}"

    @property
    def bytes_16bit(self) -> int:
        """All its weights at two bytes a parameter."""
        return int(sum(billions for _, billions in self.parts) * 2e9)


_SD3 = ModelCard(
    id="stabilityai/stable-diffusion-3-medium-diffusers",
    title="Stable Diffusion 3 medium",
    pipeline="StableDiffusion3Pipeline",
    revision="ea42f8cef0f178587cf766dc8129abd379c90671",
    licence="Stability AI Community Licence (free below $1M of yearly revenue)",
    gated=True,
    parts=(
        ("transformer", 2.03),
        ("text_encoder", 0.12),
        ("text_encoder_2", 0.69),
        ("text_encoder_3", _T5_XXL),
        ("vae", 0.08),
    ),
    optional=("text_encoder_3",),
    half=("bfloat16", "float16"),
    steps=28,
    guidance=7.0,
    tiny_vae="madebyollin/taesd3",
    note="The model of the rectified-flow scaling paper. Without its T5 encoder it needs 6 GB and "
    "follows long prompts and spelling less well.",
    unchecked=("parts", "tiny_vae"),
)

_FLUX = ModelCard(
    id="black-forest-labs/FLUX.1-schnell",
    title="FLUX.1 schnell",
    pipeline="FluxPipeline",
    revision="741f7c3ce8b383c54771c7003378a50191e9efe9",
    licence="Apache-2.0",
    parts=(("transformer", 11.9), ("text_encoder", 0.12), ("text_encoder_2", _T5_XXL), ("vae", 0.08)),
    steps=4,
    guidance=0.0,
    tiny_vae="madebyollin/taef1",
    note="Twelve billion parameters, distilled to four steps.",
    unchecked=("parts", "gated", "tiny_vae"),
)

CARDS: tuple[ModelCard, ...] = (
    ModelCard(
        id="XCLiu/instaflow_0_9B_from_sd_1_5",
        title="InstaFlow 0.9B",
        pipeline="InstaFlow",
        revision="5095524f30694797f224357bc4eaaff75925ffa8",
        licence="CC BY-NC 4.0 (not for commercial use)",
        commercial=False,
        parts=(("unet", 0.86), ("text_encoder", 0.12), ("vae", 0.08)),
        steps=1,
        guidance=0.0,
        side=512,
        half=("float16",),
        solvers=(EULER,),
        tiny_vae="madebyollin/taesd",
        note="Rectified flow distilled into one step. Its network points from noise to data, opposite to all "
        "the others here, and is turned round.",
        unchecked=("guidance",),
    ),
    ModelCard(
        id="Photoroom/prx-512-t2i-sft-distilled",
        title="PRX 512, distilled",
        pipeline="PRXPipeline",
        licence="Apache-2.0; its T5Gemma text encoder under the Gemma terms of use",
        parts=(("transformer", 1.3), ("text_encoder", 2.6), ("vae", 0.08)),
        steps=8,
        guidance=1.0,
        least_guidance=1.0,
        side=512,
        tiny_vae="madebyollin/taef1",
        note="Small and quick; the best first choice for a card of 12 GB.",
        unchecked=("parts", "tiny_vae"),
    ),
    ModelCard(
        id="Efficient-Large-Model/Sana_600M_512px_diffusers",
        title="Sana 0.6B, 512 px",
        pipeline="SanaPipeline",
        revision="83d7a190bfd1fd070570a793d2dab5c7a3231b9d",
        licence="NVIDIA licence, NSCL v2 (not for commercial use); Gemma 2 under the Gemma terms of use",
        commercial=False,
        parts=(("transformer", 0.59), ("text_encoder", 2.61), ("vae", 0.31)),
        steps=20,
        guidance=4.5,
        side=512,
        note="Linear attention on latents compressed 32-fold. Its own solver is DPM++ on flow sigmas; here "
        "it takes Euler or UniPC steps with the same time shift.",
        unchecked=("parts", "licence"),
    ),
    ModelCard(
        id="Alpha-VLLM/Lumina-Image-2.0",
        title="Lumina-Image 2.0",
        pipeline="Lumina2Pipeline",
        revision="26d0f62a411a7d084b898a3b74f58a59a53d096f",
        licence="Apache-2.0; Gemma 2 under the Gemma terms of use",
        parts=(("transformer", 2.6), ("text_encoder", 2.61), ("vae", 0.08)),
        steps=50,
        guidance=4.0,
        tiny_vae="madebyollin/taef1",
        note="2.6 billion parameters with a language model as its text encoder.",
        unchecked=("steps", "guidance", "tiny_vae"),
    ),
    ModelCard(
        id="black-forest-labs/FLUX.2-klein-4B",
        title="FLUX.2 klein 4B",
        pipeline="Flux2KleinPipeline",
        revision="e7b7dc27f91deacad38e78976d1f2b499d76a294",
        licence="Apache-2.0",
        parts=(("transformer", 3.9), ("text_encoder", 4.02), ("vae", 0.08)),
        steps=4,
        guidance=1.0,
        note="Distilled to four steps.",
        unchecked=("parts", "guidance"),
    ),
    _SD3,
    replace(
        _SD3,
        id="stabilityai/stable-diffusion-3.5-medium",
        title="Stable Diffusion 3.5 medium",
        revision="b940f670f0eda2d07fbb75229e779da1ad11eb80",
        parts=(("transformer", 2.47), *_SD3.parts[1:]),
        steps=40,
        guidance=4.5,
        note="Without its T5 encoder it needs 7 GB and follows long prompts and spelling less well.",
        unchecked=("parts", "steps", "guidance", "tiny_vae"),
    ),
    ModelCard(
        id="fal/AuraFlow-v0.3",
        title="AuraFlow 0.3",
        pipeline="AuraFlowPipeline",
        revision="2cd8588f04c886002be4571697d84654a50e3af3",
        licence="Apache-2.0",
        parts=(("transformer", 6.8), ("text_encoder", 1.22), ("vae", 0.08)),
        half=("bfloat16", "float16"),
        steps=50,
        guidance=3.5,
        tiny_vae="madebyollin/taesdxl",
        note="A large flow trained in the open.",
        unchecked=("parts", "tiny_vae"),
    ),
    ModelCard(
        id="Tongyi-MAI/Z-Image-Turbo",
        title="Z-Image Turbo",
        pipeline="ZImagePipeline",
        revision="f332072aa78be7aecdf3ee76d5c247082da564a6",
        licence="Apache-2.0",
        parts=(("transformer", 6.15), ("text_encoder", 4.02), ("vae", 0.08)),
        steps=8,
        guidance=0.0,
        tiny_vae="madebyollin/taef1",
        note="Distilled to eight steps, without guidance.",
        unchecked=("parts", "tiny_vae"),
    ),
    _FLUX,
    replace(
        _FLUX,
        id="black-forest-labs/FLUX.1-dev",
        title="FLUX.1 dev",
        revision="3de623fc3c33e44ffbe2bad470d0f45bccf2eb21",
        licence="FLUX.1 [dev] non-commercial licence",
        commercial=False,
        gated=True,
        steps=28,
        guidance=3.5,
        note="Guidance is an input of this network, learned by distillation: one forward a step.",
    ),
    ModelCard(
        id="Qwen/Qwen-Image",
        title="Qwen-Image",
        pipeline="QwenImagePipeline",
        revision="75e0b4be04f60ec59a75f475837eced720f823b6",
        licence="Apache-2.0",
        parts=(("transformer", 20.4), ("text_encoder", 8.29), ("vae", 0.13)),
        steps=50,
        guidance=4.0,
        note="The largest here; good at writing text in pictures.",
        unchecked=("parts", "licence", "gated"),
    ),
)
"""The models on offer, the lightest first."""


def known_card(model_id: str) -> ModelCard | None:
    """The card of that repository, or None."""
    return next((known for known in CARDS if known.id == model_id), None)


def card(model_id: str) -> ModelCard:
    """The card of that repository.

    Raises:
        KeyError: there is none; the message names those there are.
    """
    known = known_card(model_id)
    if known is None:
        raise KeyError(f"No card for {model_id!r}; there are: {', '.join(known.id for known in CARDS)}.")
    return known
