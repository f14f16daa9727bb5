"""Calls of the studio's functions: written for the arguments that are known, or written out in place.

An argument that is the same in every call (an object of the experiment, None, a truth value) vanishes from
the signature. A function of one expression that is a lambda, private, or called with plain names is written
out where it is called.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fmstudio.learn.export.known import UNKNOWN, Open, done, is_fixed, is_ours, is_part, is_plain, value_of
from fmstudio.learn.export.literals import tensor_text
from fmstudio.learn.export.tidy import is_docstring

if TYPE_CHECKING:
    from fmstudio.learn.export.sources import Sources


@dataclass
class _Call:
    """A call of a function: of whose method, with which arguments fixed, and which free, by name."""

    function: Callable[..., Any]
    owner: Any
    to: str
    fixed: dict[str, Any]
    free: dict[str, ast.expr]


class Calls(ast.NodeTransformer):
    """The calls in one function.

    Args:
        sources: where everything is asked for that the function needs.
        names: of the function's module.
        known: values of its arguments.
    """

    def __init__(self, sources: Sources, names: dict[str, Any], known: dict[str, Any]) -> None:
        self._sources, self._names, self._known = sources, names, known

    def value(self, node: ast.AST) -> Any:
        """The value of an expression, or ``UNKNOWN``."""
        if isinstance(node, ast.Call) and called(node.func) == "is_complex":
            return self._sources.turns
        if isinstance(node, ast.Attribute) and node.attr in self._sources.zero:
            return 0
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and self.value(node.left) == 0:
            return 0
        return value_of(node, self._known, self._names)

    def visit_Call(self, node: ast.Call) -> Any:
        """A call of the studio's functions is one of those that the script holds."""
        node.args = [part for a in node.args for part in self._spread(a)]
        function = self.value(node.func)
        if function is UNKNOWN or not is_ours(function) or not callable(function):
            if function is torch.randn:
                # It is torch's own where nothing is said.
                node.keywords = [k for k in node.keywords if self.value(k.value) is not torch.float32]
            return self.generic_visit(node)
        if inspect.isclass(function):
            return self._constructed(node, function)
        call = self._bound(node, function)
        written = self._written_out(call)
        if written is not None:
            return written
        arguments = [self.visit(a) for a in call.free.values()]
        if call.owner is not None and self._sources.is_object(call.owner):
            assert isinstance(node.func, ast.Attribute)
            fixed = {k: v for k, v in call.fixed.items() if k != "self"}
            self._sources.method(call.owner, call.function, fixed)
            method = ast.Attribute(self.visit(node.func.value), call.function.__name__, ast.Load())
            return ast.Call(method, arguments, [])
        name, definition, opened = self._sources.function(call.function, call.fixed, call.to)
        body = _expression(definition)
        if body is not None and (
            isinstance(body, ast.Name) or (call.owner is not None and _fits(body, call))
        ):
            # Names of the script are no parameters, so the arguments can stand in the finished text.
            return _Placed(dict(zip(call.free, arguments, strict=True))).visit(copy.deepcopy(body))
        self._sources.keep(name)
        return ast.Call(ast.Name(name, ast.Load()), [*map(_name, opened), *arguments], [])

    def _spread(self, node: ast.expr) -> Sequence[ast.expr]:
        """The parts of a tuple that is handed over with a star."""
        value = self.value(node.value) if isinstance(node, ast.Starred) else UNKNOWN
        if not (isinstance(value, tuple) and is_plain(value)):
            return [node]
        return [ast.parse(repr(part), mode="eval").body for part in value]

    def _bound(self, node: ast.Call, function: Any) -> _Call:
        """The call with its arguments by name."""
        owner = getattr(function, "__self__", None)
        plain: Callable[..., Any] = getattr(function, "__func__", function)
        to = called(node.func.value) if isinstance(node.func, ast.Attribute) and owner is not None else ""
        source = self._sources.source(plain).args
        call = _Call(plain, owner, to, {} if owner is None else {"self": owner}, {})
        names = [a.arg for a in (*source.args, *source.kwonlyargs) if owner is None or a.arg != "self"]
        defaults = [*zip(reversed(source.args), reversed(source.defaults), strict=False)]
        defaults += [*zip(source.kwonlyargs, source.kw_defaults, strict=True)]
        given = {a.arg: d for a, d in defaults if isinstance(d, ast.Constant)}
        given |= dict(zip(names, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
        for name in (n for n in names if n in given):
            value = self._opened(given[name])
            if value is not UNKNOWN and is_fixed(value):
                call.fixed[name] = value
            else:
                call.free[name] = given[name]
        return call

    def _opened(self, node: ast.expr) -> Any:
        """The value of an argument; a record of which some fields are variables is ``Open``."""
        match node:
            case ast.Call(func=ast.Attribute(value=whole, attr="but"), keywords=changes):
                names = {k.arg: k.value.id for k in changes if k.arg and isinstance(k.value, ast.Name)}
                return Open(self.value(whole), names)
            case _:
                return self.value(node)

    def _written_out(self, call: _Call) -> Any:
        """The function's one expression with the arguments in their places; None where it has more."""
        body = _expression(self._sources.source(call.function))
        simple = all(isinstance(a, ast.Name | ast.Constant) for a in call.free.values())
        if body is None or not (call.function.__name__.startswith(("_", "<")) or call.owner or simple):
            return None
        if call.owner is not None and self._sources.is_object(call.owner):
            body = _without_self(body, call.owner)
        if body is None or not _fits(body, call, self._is_record):
            return None
        arguments = {
            n: a if self._is_record(a) else self.visit(a) for n, a in copy.deepcopy(call.free).items()
        }
        names = getattr(call.function, "__globals__", {})
        known = {**call.fixed, **dict.fromkeys(arguments, UNKNOWN)}
        return type(self)(self._sources, names, known).visit(_Placed(arguments, self).visit(body))

    def _is_record(self, node: ast.expr | None) -> bool:
        """Whether an argument is a record that is just being made."""
        return isinstance(node, ast.Call) and inspect.isclass(self.value(node.func))

    def field_of(self, call: ast.expr, field: str) -> ast.expr | None:
        """What a field of a record is made with, if that is what the expression is."""
        if not (isinstance(call, ast.Call) and self._is_record(call)):
            return None
        names = list(self.value(call.func).__annotations__)
        return self.visit(copy.deepcopy(call.args[names.index(field)]))

    def _constructed(self, node: ast.Call, cls: type) -> ast.Call:
        known = [self.value(a) for a in node.args]
        if known and all(is_part(v) for v in known):
            # A net: made of what is known, so it is written for that.
            return ast.Call(_name(self._sources.module(cls, known)), [], [])
        node.func = _name(self._sources.record(cls))
        node.args = [self.visit(a) for a in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node


def called(node: ast.AST) -> str:
    """The last name of an expression."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "part")


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _expression(definition: ast.FunctionDef) -> ast.expr | None:
    """What a function returns, where it does nothing else."""
    body = [s for s in definition.body if not is_docstring(s)]
    only = body[0] if len(body) == 1 and not definition.decorator_list else None
    return only.value if isinstance(only, ast.Return) else None


def _fits(body: ast.expr, call: _Call, is_record: Callable[[ast.expr], bool] = lambda node: False) -> bool:
    """Whether the arguments can stand in the expression without one being worked out twice."""
    uses = [n.id for n in ast.walk(body) if isinstance(n, ast.Name)]
    return all(
        uses.count(name) <= 1 or isinstance(a, ast.Name | ast.Constant) or is_record(a)
        for name, a in call.free.items()
    )


def _without_self(body: ast.expr, owner: Any) -> ast.expr | None:
    """A method's expression with its object's numbers; None unless these are few tensors, each used once."""
    used = [n.attr for n in ast.walk(body) if isinstance(n, ast.Attribute) and called(n.value) == "self"]
    values = {f.name: getattr(owner, f.name) for f in fields(owner)}
    if len(used) != len(set(used)) or not all(isinstance(values.get(name), Tensor) for name in used):
        return None
    written = {name: ast.parse(tensor_text(values[name]), mode="eval").body for name in used}
    return _Placed({}, own=written).visit(body) if written or not values else None


class _Placed(ast.NodeTransformer):
    """Arguments in the place of a function's parameters, each as the script's.

    Args:
        arguments: by parameter; a record that is just being made is not the script's yet.
        caller: that writes what such a record is made with.
        own: what stands for the fields of self.
    """

    def __init__(
        self, arguments: Mapping[str, ast.expr], caller: Calls | None = None, own: Mapping[str, ast.expr] = {}
    ) -> None:
        self._arguments, self._caller, self._own = arguments, caller, own

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """The field of a record that is just being made is what it is made with."""
        whose = node.value.id if isinstance(node.value, ast.Name) else ""
        if whose == "self" and node.attr in self._own:
            return done(self._own[node.attr])
        made = self._arguments.get(whose)
        field = self._caller.field_of(made, node.attr) if self._caller and made is not None else None
        return self.generic_visit(node) if field is None else done(field)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """The argument."""
        argument = self._arguments.get(node.id)
        if argument is None:
            return node
        if self._caller is None:
            return argument
        if isinstance(argument, ast.Call) and inspect.isclass(self._caller.value(argument.func)):
            argument = self._caller.visit(copy.deepcopy(argument))
        return done(argument)
