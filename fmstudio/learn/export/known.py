"""What is known of an expression before the script runs: its value, where all its names are known."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import inspect
import operator
import sys
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch

UNKNOWN: Any = object()
_BUILTINS: tuple[Callable[..., Any], ...] = (isinstance, len, max, min, bool, float, int)
_OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Not: operator.not_, ast.USub: operator.neg,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Open:
    """A record of which some fields are not known yet: in the script they are variables.

    Args:
        record: the others are its own.
        names: the variable for each of these fields.
    """

    record: Any
    names: Mapping[str, str]


class Done(ast.expr):
    """An expression that is already the script's; ``inner`` is it."""

    _fields = ("inner",)
    inner: ast.expr


def done(node: ast.expr) -> Done:
    """An expression of the script, which stays as it is."""
    new = Done()
    new.inner = node
    return new


def is_ours(value: Any) -> bool:
    """Whether a function, class or object is the studio's or a guest's: not of a library."""
    owner = value if inspect.isroutine(value) or inspect.isclass(value) else type(value)
    return _is_source(str(getattr(owner, "__module__", "")))


@cache
def _is_source(module: str) -> bool:
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    return top == "fmstudio" or not (
        file is None or top in sys.stdlib_module_names or "-packages" in str(file)
    )


def is_plain(value: Any) -> bool:
    """Whether a value can be written as it is: a number, a text, None, or a tuple of such."""
    if isinstance(value, tuple):
        return type(value) is tuple and all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def is_part(value: Any) -> bool:
    """Whether a value is an object that a script builds: one of the studio's dataclasses."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type) and is_ours(value)


def is_fixed(value: Any) -> bool:
    """Whether an argument is the same in every call, so that the function is written for it."""
    if isinstance(value, Open) or value is None or isinstance(value, bool | str):
        return True
    return is_part(value) or (inspect.isroutine(value) and is_ours(value))


def value_of(node: ast.AST, known: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """The value of an expression, or ``UNKNOWN``.

    Args:
        node: the expression.
        known: values of local names; ``UNKNOWN`` for those without one.
        names: of the module.
    """

    def of(part: ast.AST) -> Any:
        return value_of(part, known, names)

    match node:
        case ast.Constant():
            return node.value
        case Done():
            return of(node.inner) if isinstance(node.inner, ast.Constant) else UNKNOWN
        case ast.Name():
            return known.get(node.id, names.get(node.id, vars(builtins).get(node.id, UNKNOWN)))
        case ast.Attribute():
            return _attribute(of(node.value), node.attr)
        case ast.IfExp():
            test = of(node.test)
            return UNKNOWN if test is UNKNOWN else of(node.body if test else node.orelse)
        case ast.BoolOp():
            stops = isinstance(node.op, ast.Or)
            values = [of(part) for part in node.values]
            return next((v for v in values if v is UNKNOWN or bool(v) == stops), values[-1])
        case ast.Tuple():
            values = tuple(of(part) for part in node.elts)
            return UNKNOWN if any(v is UNKNOWN for v in values) else values
        case ast.Compare(ops=[op], comparators=[right]):
            return _applied(_OPERATIONS.get(type(op)), of(node.left), of(right))
        case ast.BinOp():
            left, right = of(node.left), of(node.right)
            if isinstance(node.op, ast.BitOr) and inspect.isclass(left):
                return _applied(operator.or_, left, right)
            plain = is_plain(left) and is_plain(right)
            return _applied(_OPERATIONS.get(type(node.op)), left, right) if plain else UNKNOWN
        case ast.UnaryOp():
            return _applied(_OPERATIONS.get(type(node.op)), of(node.operand))
        case ast.Subscript():
            whole = of(node.value)
            return _applied(operator.getitem, whole, of(node.slice)) if is_plain(whole) else UNKNOWN
        case ast.Call():
            return _called(node, of)
        case _:
            return UNKNOWN


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, Open):
        return UNKNOWN if name in owner.names else getattr(owner.record, name)
    return UNKNOWN if owner is UNKNOWN else getattr(owner, name, UNKNOWN)


def _applied(operation: Callable[..., Any] | None, *values: Any) -> Any:
    if operation is None or any(v is UNKNOWN for v in values):
        return UNKNOWN
    result = operation(*values)
    return UNKNOWN if isinstance(result, torch.Tensor) else result


def _called(node: ast.Call, of: Callable[[ast.AST], Any]) -> Any:
    """The value of a call of the studio's functions, whose arguments are all known and none is random."""
    function, arguments = of(node.func), [of(part) for part in node.args]
    named = {k.arg: of(k.value) for k in node.keywords if k.arg}
    if function in (UNKNOWN, None) or any(v is UNKNOWN for v in (*arguments, *named.values())):
        return UNKNOWN
    owner = getattr(function, "__self__", None)
    asks_tensor = isinstance(owner, torch.Tensor) and function.__name__ == "is_complex"
    if not (function in _BUILTINS or is_ours(function) or asks_tensor):
        return UNKNOWN
    if isinstance(function, types.FunctionType | types.MethodType):
        needed = inspect.signature(function).parameters
        if "generator" in needed or len(needed) < len(arguments) or any(v is None for v in arguments):
            return UNKNOWN
    elif inspect.isclass(function) and is_ours(function):
        return UNKNOWN
    return function(*arguments, **named)
