"""Tensors and imports as text."""

from __future__ import annotations

import ast
import copy
import inspect
import sys
from collections.abc import Collection
from functools import cache

import numpy as np
import torch
from torch import Tensor

_THIRD_PARTY = ("numpy", "torch", "scipy")


def tensor_text(x: Tensor) -> str:
    """A tensor as an expression of torch, every number with the fewest digits that give its float32 back."""
    rows = list(x) if x.ndim else []
    if not x.is_floating_point():
        if x.ndim == 1 and torch.equal(x, torch.arange(len(x))):
            return f"torch.arange({len(x)})"
        return f"torch.tensor({x.tolist()})"
    if x.ndim == 1 and len(x) > 4 and bool((x == x[0]).all()):
        return f"torch.full(({len(x)},), {_numbers(x[0])})"
    if x.ndim == 3 and len(x) > 1 and all(torch.equal(row, rows[0]) for row in rows):
        return f"torch.tensor({_numbers(x[0])}).repeat({len(x)}, 1, 1)"
    if x.ndim > 1:
        # What only rounding left of 0 is 0.
        x = torch.where(x.abs() < 1e-6 * x.abs().max(), 0.0, x)
    return f"torch.tensor({_numbers(x)})"


def _numbers(x: Tensor) -> str:
    if x.ndim:
        return "[" + ", ".join(_numbers(row) for row in x) + "]"
    return repr(float(str(np.float32(x.item()))))


@cache
def import_of(name: str, module: str) -> str:
    """The line by which a module knows a name."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    one = copy.copy(node)
                    one.names = [alias]
                    return ast.unparse(one)
    raise LookupError(f"{module} does not import {name}.")


def import_lines(lines: Collection[str]) -> str:
    """The imports in order, those of one module together."""
    taken: dict[str, set[str]] = {}
    for line in lines:
        start, _, names = line.partition(" import ") if line.startswith("from") else (line, "", "")
        taken.setdefault(start, set()).update(filter(None, names.split(", ")))
    whole = [f"{start} import {', '.join(sorted(n))}" if n else start for start, n in taken.items()]
    whole.sort(key=lambda line: (line.startswith("from"), line.lower()))
    late = [line for line in whole if line.split()[1].split(".")[0] in _THIRD_PARTY]
    early = [line for line in whole if line not in late]
    return "\n".join("".join(f"{line}\n" for line in group) for group in (early, late) if group)
