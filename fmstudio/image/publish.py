"""A trained model on the Hugging Face Hub: its card and its upload, only on request."""

from __future__ import annotations

from pathlib import Path

from fmstudio.image.card import Card, save_card
from fmstudio.image.training.data import ImageSet
from fmstudio.image.training.loop import Run
from fmstudio.image.training.objective import ReflowPairs


def write_card(folder: Path, run: Run, data: ImageSet | ReflowPairs, command: str) -> None:
    """Write FOLDER/README.md and card.json: what the model is, how to use it, how it was made.

    Licence and origin of the images are not known here; the card says that its author must add them.

    Args:
        folder: a model folder.
        run: the finished run.
        data: what it was trained on.
        command: the command line that made it.
    """
    channels, height, width = data.shape
    kind = "pairs of noise and image" if isinstance(data, ReflowPairs) else "images"
    settings, steps = run.settings, run.step
    weights = sum(weight.numel() for weight in run.ema)
    title = f"Rectified flow, {len(data.class_names)} classes"
    save_card(folder, Card(title, folder.resolve().parent.name))
    (folder / "README.md").write_text(
        f"""---
library_name: diffusers
pipeline_tag: unconditional-image-generation
---
# {title}

Images of {height} × {width} pixels, {"grey" if channels == 1 else "colour"}. t = 0 is data, t = 1 is noise,
x_t = (1 − t) x0 + t x1; the network answers the mean of v = x1 − x0 at x_t.

Classes: {", ".join(data.class_names)}.

    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder, trust_remote_code=True)
    images = pipe(class_labels=[0], num_inference_steps=16, guidance_scale=1.5).images

`folder` is a local copy of this repository.

- **Data**: {len(data)} {kind}. Their origin and licence are still to be written here.
- **Network**: {weights:,} weights, float16.
- **Recipe**: AdamW {settings.learning_rate:g}, {settings.warmup} steps of warm-up, cosine to zero; batch
  {settings.batch}; clip {settings.clip:g}; moving average {settings.ema_decay:g};
  times "{settings.time_law}"; {settings.label_drop:.0%} of labels dropped; seed {settings.seed}.
- **Cost**: {steps} steps in {run.seconds / 60:.1f} minutes.

Made by

    {command}
""",
        encoding="utf-8",
    )


def push_model(folder: Path, repository: str, private: bool = False) -> str:
    """Upload a model folder to the Hub, making the repository if need be.

    The token is the one that `hf auth login` or the variable HF_TOKEN left; none is stored here.

    Args:
        folder: what to upload.
        repository: such as "name/model".
        private: whether a new repository is private.

    Returns:
        The address of the repository.
    """
    from huggingface_hub import HfApi

    hub = HfApi()
    address = hub.create_repo(repository, private=private, exist_ok=True)
    hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Model trained by fmstudio")
    return str(address)
