"""A model as a diffusers folder: written by `save_model`, read by `load_model`.

model_index.json   the pipeline, the patch size, the class names
pipeline.py        the pipeline's code, so that plain diffusers can run the folder
unet/              a plain UNet2DModel, float16 safetensors; or
transformer/       a plain DiTTransformer2DModel, likewise
scheduler/         a plain FlowMatchEulerDiscreteScheduler
"""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fmstudio.image.networks import VelocityNet


@dataclass(frozen=True)
class ImageModel:
    """A trained rectified flow.

    Args:
        net: the velocity network, in evaluation mode, without gradients.
        class_names: the name of each label.
    """

    net: VelocityNet
    class_names: tuple[str, ...]


def save_model(folder: Path, net: VelocityNet, class_names: tuple[str, ...]) -> None:
    """Write a diffusers folder; weights are rounded to float16, the network itself is left as it is.

    Args:
        folder: made if need be; a model already there is replaced.
        net: any velocity network.
        class_names: the name of each label.
    """
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    from fmstudio.image import pipeline

    network = copy.deepcopy(net.network)
    for weight in network.parameters():
        weight.data = weight.data.to("cpu", torch.float16)
    names = {str(label): name for label, name in enumerate(class_names)}
    part: dict[str, Any] = {net.part: network}
    pipe = pipeline.RectifiedFlowPipeline(
        FlowMatchEulerDiscreteScheduler(), patch_size=net.patch, class_names=names, **part
    )
    pipe.save_pretrained(folder)
    config = Path(folder) / net.part / "config.json"
    described = json.loads(config.read_text(encoding="utf-8"))
    described.pop("_name_or_path", None)  # where the first weights lay on the machine that trained them
    config.write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    shutil.copyfile(pipeline.__file__, Path(folder) / "pipeline.py")


def load_model(folder: Path, device: torch.device | str = "cpu") -> ImageModel:
    """Read a folder that `save_model` wrote, as float32.

    Args:
        folder: the model's folder.
        device: where the weights go.

    Raises:
        FileNotFoundError: the folder holds no model.
    """
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
    from diffusers.models.unets.unet_2d import UNet2DModel

    folder = Path(folder)
    index = folder / "model_index.json"
    if not index.is_file():
        raise FileNotFoundError(f"No model in {folder}: it has no model_index.json.")
    described = json.loads(index.read_text(encoding="utf-8"))
    if (described.get("transformer") or [None])[0] is None:
        network = UNet2DModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32)
    else:
        network = DiTTransformer2DModel.from_pretrained(
            folder, subfolder="transformer", torch_dtype=torch.float32
        )
    net = VelocityNet(network, described["patch_size"]).to(device).eval().requires_grad_(False)
    return ImageModel(net, names_in(described))


def names_in(index: dict[str, Any]) -> tuple[str, ...]:
    """The name of each label, of what a model_index.json says."""
    names: dict[str, str] = index["class_names"]
    return tuple(names[str(label)] for label in range(len(names)))
