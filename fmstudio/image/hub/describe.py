"""What a model folder holds, read from its json files and the headers of its safetensors: nothing is loaded.

A folder is refused, with the reason, if running it would need anything but diffusers' and transformers' own
classes and safetensors: its own Python files, a component of an unknown library, pickled weights only.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WEIGHTS = re.compile(r"^(model|diffusion_pytorch_model)(-\d{5}-of-\d{5})?\.safetensors$")
# in float16, beside or in the place of those; in two spellings where they are in shards
_HALF = re.compile(
    r"^(model|diffusion_pytorch_model)(\.fp16(-\d{5}-of-\d{5})?|-\d{5}-of-\d{5}\.fp16)\.safetensors$"
)
_NO_WEIGHTS = ("Tokenizer", "Scheduler", "Processor", "FeatureExtractor")
_TEXTS = (".json", ".txt", ".model", ".jinja")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5")
_UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
_LONGEST_HEADER = 100_000_000


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
        variant: "fp16" where a network is there in half precision only, else "".
        commit: that it is of, or "" for a folder of the user's.
    """

    folder: Path
    pipeline: str
    scheduler: str
    scheduler_config: dict[str, Any]
    parts: tuple[tuple[str, int], ...]
    file_bytes: int
    missing: tuple[str, ...] = ()
    variant: str = ""
    commit: str = ""


def components(model_index: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The components of a pipeline that are there: name to (library, class).

    Args:
        model_index: the content of a ``model_index.json``.
    """
    return {
        name: (str(where[0]), str(where[1]))
        for name, where in model_index.items()
        if isinstance(where, list) and len(where) == 2 and where[0] is not None
        if name.isidentifier() and not name.startswith("_") and name not in _UNUSED
    }


def wanted_files(
    names: Iterable[str], model_index: dict[str, Any], without: tuple[str, ...] = ()
) -> list[str]:
    """The files of a repository that are needed: settings, vocabularies, and safetensors.

    Those in full precision; where a network has none, those in half precision of all that have them.

    Args:
        names: paths of all its files.
        model_index: the content of its ``model_index.json``.
        without: components to leave out.

    Raises:
        UnsuitableModelError: a network has no safetensors, or pieces of them without their table of contents.
    """
    inside: dict[str, list[str]] = {name: [] for name in components(model_index) if name not in without}
    for name in sorted(names):
        component, _, file = name.partition("/")
        if component in inside and "/" not in file:
            inside[component].append(file)
    networks = [files for name, files in inside.items() if _is_network(model_index, name)]
    half_only = any(any(map(_HALF.match, it)) and not any(map(_WEIGHTS.match, it)) for it in networks)
    wanted = ["model_index.json"]
    for component, files in inside.items():
        half = half_only and any(map(_HALF.match, files))
        kind, suffix = (_HALF, ".index.fp16.json") if half else (_WEIGHTS, ".index.json")
        tables = [name for name in files if name.endswith(f".safetensors{suffix}")]
        texts = [name for name in files if name.endswith(_TEXTS) and ".index." not in name]
        weights = [name for name in files if kind.match(name)]
        if _is_network(model_index, component):
            weights = _complete_weights(component, files, weights, tables)
        wanted += [f"{component}/{name}" for name in texts + tables + weights]
    return wanted


def _is_network(model_index: dict[str, Any], component: str) -> bool:
    return not any(word in components(model_index)[component][1] for word in _NO_WEIGHTS)


def _complete_weights(component: str, files: list[str], weights: list[str], tables: list[str]) -> list[str]:
    """The shards where they and their table are there, else the single file."""
    shards = [name for name in weights if "-of-" in name]
    single = [name for name in weights if name not in shards]
    if shards and (tables or not single):
        if not tables:
            raise UnsuitableModelError(
                f"{component} is in {len(shards)} shards without their index (*.safetensors.index.json), "
                "which says what lies in which. Fetch that file too."
            )
        return shards
    if single:
        return single
    if any(name.endswith(_PICKLES) for name in files):
        raise UnsuitableModelError(
            f"{component} has no safetensors. Pickled weights can run code, so they are never loaded; "
            "convert the model with `save_pretrained(…, safe_serialization=True)`."
        )
    raise UnsuitableModelError(
        f"{component} has no weights: expected model.safetensors or diffusion_pytorch_model.safetensors in "
        "its folder. Fetch the model again."
    )


def describe(folder: Path) -> Description:
    """Read a folder in diffusers' layout.

    Args:
        folder: with ``model_index.json`` in it.

    Raises:
        UnsuitableModelError: it is no such folder, or cannot be run here.
    """
    if not (folder / "model_index.json").is_file():
        raise UnsuitableModelError(
            f"{folder} is no diffusers model: it has no model_index.json. A single .safetensors file is not "
            "enough; use the model's diffusers version."
        )
    model_index = _json(folder / "model_index.json")
    _check_libraries(folder, model_index)
    missing = tuple(name for name in components(model_index) if not (folder / name).is_dir())
    for name in missing:
        if not _is_network(model_index, name):
            raise UnsuitableModelError(f"{folder.name} lacks its {name}. Fetch the model again.")
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
    files = [folder / name for name in wanted_files(names, model_index, without=missing)]
    for file in files:
        if ".safetensors.index." in file.name:
            _check_shards(file)
    weights = [file for file in files if file.suffix == ".safetensors"]
    parts: Counter[str] = Counter()
    for file in weights:
        parts[file.parent.name] += parameter_count(file)
    if not parts:
        raise UnsuitableModelError(f"{folder} holds no weights.")
    return Description(
        folder=folder,
        pipeline=str(model_index["_class_name"]),
        scheduler=components(model_index).get("scheduler", ("", ""))[1],
        scheduler_config=_json(folder / "scheduler" / "scheduler_config.json"),
        parts=tuple(parts.items()),
        file_bytes=sum(file.stat().st_size for file in weights),
        missing=missing,
        variant="fp16" if any(_HALF.match(file.name) for file in weights) else "",
    )


def parameter_count(path: Path) -> int:
    """Numbers in a safetensors file, from its header alone.

    Raises:
        UnsuitableModelError: the file is empty, cut off, a pointer of Git LFS, or something else.
    """

    def broken(how: str) -> UnsuitableModelError:
        return UnsuitableModelError(f"{path.name} is {how}. Fetch it again.")

    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        content = file.read(min(length, _LONGEST_HEADER))
    if not start:
        raise broken("empty: nothing of it has arrived")
    if start == b"version ":
        raise UnsuitableModelError(
            f"{path.name} is a pointer of Git LFS and not the weights. Run `git lfs pull` in its folder."
        )
    if len(start) == 8 and not 2 <= length <= _LONGEST_HEADER:
        raise broken("no safetensors file")
    if len(start) < 8 or len(content) < length:
        raise broken(f"cut off within its header: {size} bytes are there")
    try:
        tensors = [value for name, value in json.loads(content).items() if name != "__metadata__"]
        needed = 8 + length + max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)
        count = sum(math.prod(tensor["shape"]) for tensor in tensors)
    except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        raise broken("no safetensors file (its header makes no sense)") from error
    if size < needed:
        raise broken(f"cut off: {size} of {needed} bytes")
    return count


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
