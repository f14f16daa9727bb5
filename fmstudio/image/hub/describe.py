"""What a model folder holds, read from its json files and the headers of its safetensors: nothing is loaded.

A folder is refused, with the reason, if running it would need anything but diffusers' and transformers' own
classes and safetensors: its own Python files, a component of an unknown library, pickled weights only.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEIGHTS = re.compile(r"^(model|diffusion_pytorch_model)(-\d{5}-of-\d{5})?\.safetensors$")
"""Names of full-precision weights; variants such as ``model.fp16.safetensors`` are left alone."""

_NO_WEIGHTS = ("Tokenizer", "Scheduler", "Processor", "FeatureExtractor")
_TEXTS = (".json", ".txt", ".model", ".jinja")
_UNUSED = ("safety_checker", "feature_extractor", "image_encoder")


class UnsuitableModelError(ValueError):
    """The folder cannot be run here; the message says why and what would."""


@dataclass(frozen=True)
class Description:
    """A model folder that can be run.

    Args:
        folder: where it is.
        pipeline: the diffusers class named in its ``model_index.json``.
        scheduler: the class of its scheduler.
        scheduler_config: the scheduler's settings.
        parts: name and number of parameters of each network, counted in the files.
        file_bytes: size of the weights on disk.
        missing: networks that its index names and that are not there.
    """

    folder: Path
    pipeline: str
    scheduler: str
    scheduler_config: dict[str, Any]
    parts: tuple[tuple[str, int], ...]
    file_bytes: int
    missing: tuple[str, ...] = ()


def components(model_index: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The components of a pipeline that are there: name to (library, class).

    Args:
        model_index: the content of a ``model_index.json``.
    """
    found: dict[str, tuple[str, str]] = {}
    for name, value in model_index.items():
        if name.startswith("_") or not isinstance(value, list) or len(value) != 2 or value[0] is None:
            continue
        found[name] = (str(value[0]), str(value[1]))
    return {name: where for name, where in found.items() if name.isidentifier() and name not in _UNUSED}


def has_weights(class_name: str) -> bool:
    """Whether a component of that class is a network."""
    return not any(word in class_name for word in _NO_WEIGHTS)


def wanted_files(
    names: Iterable[str], model_index: dict[str, Any], without: tuple[str, ...] = ()
) -> list[str]:
    """The files of a repository that are needed: settings, vocabularies, and full-precision safetensors.

    Args:
        names: paths of all its files.
        model_index: the content of its ``model_index.json``.
        without: components to leave out.

    Raises:
        UnsuitableModelError: a network has no safetensors.
    """
    names = sorted(names)
    wanted = ["model_index.json"]
    for component, (_, class_name) in components(model_index).items():
        if component in without:
            continue
        inside = [name for name in names if name.startswith(f"{component}/") and name.count("/") == 1]
        texts = [name for name in inside if name.endswith(_TEXTS) and ".fp16." not in name]
        weights = [name for name in inside if WEIGHTS.match(name.split("/")[1])]
        shards = [name for name in weights if "-of-" in name]
        if any(name.endswith(".safetensors.index.json") for name in texts) and shards:
            weights = shards
        if has_weights(class_name) and not weights:
            raise UnsuitableModelError(
                f"{component} has no full-precision safetensors. Pickled weights can run code, so they are "
                "never loaded; convert the model with `save_pretrained(…, safe_serialization=True)`."
            )
        wanted += texts + weights
    return wanted


def read_index(folder: Path) -> dict[str, Any]:
    """The content of a folder's ``model_index.json``.

    Raises:
        UnsuitableModelError: there is none.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise UnsuitableModelError(
            f"{folder} is no diffusers model: it has no model_index.json. A single .safetensors file is not "
            "enough; use the model's diffusers version."
        )
    return _json(index)


def describe(folder: Path) -> Description:
    """Read a folder in diffusers' layout.

    Args:
        folder: with ``model_index.json`` in it.

    Raises:
        UnsuitableModelError: it is no such folder, or cannot be run here.
    """
    model_index = read_index(folder)
    _check_libraries(folder, model_index)
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
    missing = tuple(name for name in components(model_index) if not (folder / name).is_dir())
    for name in missing:
        if not has_weights(components(model_index)[name][1]):
            raise UnsuitableModelError(f"{folder.name} lacks its {name}. Fetch the model again.")
    files = wanted_files(names, model_index, without=missing)
    parts: dict[str, int] = {}
    for name in files:
        if name.endswith(".safetensors.index.json"):
            _check_shards(folder / name)
        if name.endswith(".safetensors"):
            component = name.split("/")[0]
            parts[component] = parts.get(component, 0) + parameter_count(folder / name)
    if not parts:
        raise UnsuitableModelError(f"{folder} holds no weights.")
    return Description(
        folder=folder,
        pipeline=str(model_index["_class_name"]),
        scheduler=components(model_index).get("scheduler", ("", ""))[1],
        scheduler_config=_json(folder / "scheduler" / "scheduler_config.json"),
        parts=tuple(parts.items()),
        file_bytes=sum((folder / name).stat().st_size for name in files if name.endswith(".safetensors")),
        missing=missing,
    )


def parameter_count(path: Path) -> int:
    """Numbers in a safetensors file, from its header alone.

    Raises:
        UnsuitableModelError: the file is no safetensors, such as one that was cut off.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= 100_000_000:
            raise UnsuitableModelError(f"{path.name} is no safetensors file. Fetch it again.")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise UnsuitableModelError(f"{path.name} is cut off. Fetch it again.") from error
    tensors = [value for name, value in header.items() if name != "__metadata__"]
    needed = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors), default=0)
    if path.stat().st_size < needed:
        raise UnsuitableModelError(
            f"{path.name} is cut off: {path.stat().st_size} of {needed} bytes. Fetch it again."
        )
    return sum(math.prod(tensor["shape"]) for tensor in tensors)


def _check_libraries(folder: Path, model_index: dict[str, Any]) -> None:
    for name, (library, class_name) in components(model_index).items():
        if not _is_known(library):
            raise UnsuitableModelError(
                f"The component {name} is {library}.{class_name}, code of its own; only classes of diffusers "
                "and transformers are run here."
            )
    if not isinstance(model_index.get("_class_name"), str):
        raise UnsuitableModelError(
            f"{folder.name} brings its own pipeline code ({model_index.get('_class_name')}); it is never run."
        )


def _is_known(library: str) -> bool:
    """Whether a component's classes are diffusers' or transformers' own."""
    if library in ("diffusers", "transformers"):
        return True
    installed = importlib.util.find_spec("diffusers")
    homes = installed.submodule_search_locations if installed else None
    # an index may name the module of diffusers' pipelines that a class lives in
    return library.isidentifier() and any(
        (Path(home) / "pipelines" / library).is_dir() for home in homes or ()
    )


def _check_shards(index: Path) -> None:
    listed = set(_json(index).get("weight_map", {}).values())
    missing = sorted(name for name in listed if not (index.parent / str(name)).is_file())
    if missing:
        raise UnsuitableModelError(f"{index.parent.name} lacks {', '.join(missing)}. Fetch the model again.")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UnsuitableModelError(f"{path.name} cannot be read ({error}). Fetch the model again.") from error
    if not isinstance(content, dict):
        raise UnsuitableModelError(f"{path.name} holds no settings.")
    return content
