"""A function written for what is known of its arguments: known branches only, known numbers as numbers.

An argument that is the same in every call (an object of the experiment, None, a truth value) vanishes from
the signature. A call whose function is one expression and private, or a lambda, is written out in its place.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch

from fmstudio.learn.export.known import UNKNOWN, Done, Open, is_fixed, is_ours, is_part, is_plain, value_of
from fmstudio.learn.export.tidy import assigned, is_docstring, parsed

if TYPE_CHECKING:
    from fmstudio.learn.export.sources import Sources


class Specialiser(ast.NodeTransformer):
    """One function's source, rewritten for what is known.

    Args:
        sources: where everything is asked for that the function needs.
        names: of the function's module.
        known: values of its arguments.
    """

    def __init__(self, sources: Sources, names: dict[str, Any], known: dict[str, Any]) -> None:
        self._sources, self._names, self._known = sources, names, known
        self.opened: list[str] = []

    def run(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Rewrite a tidied definition in place."""
        for open_ in self._known.values():
            if isinstance(open_, Open):
                used = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                self.opened += [name for field, name in open_.names.items() if field in used]
        arguments = node.args
        every = [*arguments.args, *arguments.kwonlyargs]
        values = [*[None] * (len(arguments.args) - len(arguments.defaults)), *arguments.defaults]
        owner = self._known.get("self")
        taken = set(self._known) - ({"self"} if owner is None or self._stays(owner) else set())
        free = [(a, d) for a, d in zip(arguments.args, values, strict=True) if a.arg not in taken]
        named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        named = [(a, d) for a, d in named if a.arg not in self._known]
        stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for name in {*stored, *(a.arg for a in every)} - set(self._known):
            self._known[name] = UNKNOWN
        node.args = ast.arguments(
            posonlyargs=[],
            args=[*map(ast.arg, self.opened), *(a for a, _ in free)],
            kwonlyargs=[a for a, _ in named],
            kw_defaults=[d and self.visit(d) for _, d in named],
            defaults=[self.visit(d) for _, d in free if d is not None],
        )
        node.body = self._block(node.body) or [ast.Pass()]
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        return node

    def _stays(self, owner: Any) -> bool:
        """Whether methods of an object are methods in the script too."""
        return self._sources.is_object(owner) or isinstance(owner, torch.nn.Module)

    # Statements.

    def _block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        done = list[ast.stmt]()
        for statement in body:
            new = statement if is_docstring(statement) else self.visit(statement)
            done += new if isinstance(new, list) else [new] if new is not None else []
            if done and isinstance(done[-1], ast.Return):
                break
        return done

    def visit_If(self, node: ast.If) -> Any:
        """Only the branch that is taken, where that is known."""
        test = self._value(node.test)
        if test is not UNKNOWN:
            taken = node.body if test else node.orelse
            if taken:
                vars(taken[0])["above"] = [*getattr(node, "above", ()), *getattr(taken[0], "above", ())]
            return self._block(taken)
        node.test = self.visit(node.test)
        before = dict(self._known)
        node.body = self._block(node.body)
        after, self._known = self._known, before
        node.orelse = self._block(node.orelse)
        for name, value in after.items():
            if self._known.get(name) is not value:
                self._known[name] = UNKNOWN
        return node

    def visit_For(self, node: ast.For) -> Any:
        """In a loop nothing is known of what the loop changes."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self._known[inner.id] = UNKNOWN
        node.iter, node.body = self.visit(node.iter), self._block(node.body)
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        """What is known to be None or an object needs no variable."""
        (target,), value = node.targets, node.value
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        pairs = zip(target.elts, value.elts, strict=True) if several else [(target, value)]  # pyright: ignore
        kept, new = list[tuple[ast.expr, ast.expr]](), dict[str, Any]()
        for to, what in pairs:
            known = self._value(what)
            if isinstance(to, ast.Attribute) and is_part(known) and not self._sources.is_object(known):
                continue
            if isinstance(to, ast.Name) and known is not UNKNOWN and is_fixed(known):
                new[to.id] = known
                continue
            new |= {n.id: UNKNOWN for n in ast.walk(to) if isinstance(n, ast.Name) and self._stores(n)}
            what, to = self.visit(what), self.visit(to)
            if ast.unparse(to) != ast.unparse(what):
                kept.append((to, what))
        self._known.update(new)
        return assigned(node, kept)

    @staticmethod
    def _stores(node: ast.Name) -> bool:
        return isinstance(node.ctx, ast.Store)

    # Expressions.

    def _value(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "is_complex":
                return self._sources.turns
        if isinstance(node, ast.Attribute) and node.attr in self._sources.zero:
            return 0
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and self._value(node.left) == 0:
            return 0
        return value_of(node, self._known, self._names)

    def _grounded(self, node: ast.AST) -> bool:
        """Whether it speaks of an argument's value, not only of the module's names or an object's fields."""
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        if any(n.id == "self" for n in names) and not is_fixed(self._value(node)):
            fields = {getattr(self._known.get("self"), "__dataclass_fields__", None) and n.attr
                      for n in ast.walk(node) if isinstance(n, ast.Attribute)}  # fmt: skip
            if fields & set(getattr(self._known.get("self"), "__dataclass_fields__", ())):
                return False
        return any(self._known.get(n.id, UNKNOWN) is not UNKNOWN for n in names)

    def visit(self, node: ast.AST) -> Any:
        """Write what is known as what it is."""
        if isinstance(node, Done):
            return node.inner
        if isinstance(getattr(node, "ctx", None), ast.Store):
            return node
        if isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Tuple | ast.Starred):
            value = self._value(node)
            if value is not UNKNOWN and self._grounded(node):
                if is_plain(value):
                    return ast.parse(repr(value), mode="eval").body
                if is_part(value) and self._sources.is_object(value) and not self._inside_self(node):
                    return ast.Name(self._sources.object(value, self._called(node)), ast.Load())
                if inspect.isfunction(value) and is_ours(value):
                    return ast.Name(self._sources.function(value, {})[0], ast.Load())
        return super().visit(node)

    def _inside_self(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == "self" for n in ast.walk(node))

    @staticmethod
    def _called(node: ast.AST) -> str:
        return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "part")

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        """Nothing is added where it is known to be 0."""
        if isinstance(node.op, ast.Add) and self._value(node.right) == 0:
            return self.visit(node.left)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        """Only the branch that is taken."""
        test = self._value(node.test)
        return self.generic_visit(node) if test is UNKNOWN else self.visit(node.body if test else node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        """Without the parts that decide nothing."""
        neutral = isinstance(node.op, ast.And)
        left = [v for v in node.values if self._value(v) is UNKNOWN or bool(self._value(v)) != neutral]
        node.values = [self.visit(v) for v in left]
        return node if len(left) > 1 else node.values[0]

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        """Known values are part of the text."""
        self.generic_visit(node)
        for k, part in enumerate(node.values):
            if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Constant):
                node.values[k] = ast.Constant(str(part.value.value))
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Ask for what the module knows by this name."""
        number = self._names.get(node.id)
        if node.id not in self._known and isinstance(number, int | float):
            return ast.Constant(number)
        if isinstance(node.ctx, ast.Load) and node.id not in self._known and node.id in self._names:
            node.id = self._sources.named(node.id, self._names)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """A field that is open is a variable."""
        owner = self._value(node.value)
        if isinstance(owner, Open):
            return ast.Name(owner.names[node.attr], ast.Load())
        if is_part(owner):
            self._sources.read(owner, node.attr)
        self.generic_visit(node)
        return node

    # Calls.

    def visit_Call(self, node: ast.Call) -> Any:
        """A call of the studio's functions is one of those that the script holds."""
        node.args = [part for a in node.args for part in self._spread(a)]
        function = self._value(node.func)
        if function is UNKNOWN or not is_ours(function) or not callable(function):
            if function is torch.randn:
                # It is torch's own where nothing is said.
                node.keywords = [k for k in node.keywords if self._value(k.value) is not torch.float32]
            return self.generic_visit(node)
        if inspect.isclass(function):
            return self._constructed(node, function)
        owner = getattr(function, "__self__", None)
        plain: Callable[..., Any] = getattr(function, "__func__", function)
        source = self._sources.source(plain)
        fixed, free = self._bound(node, source, owner)
        body = [s for s in source.body if not is_docstring(s)]
        simple = all(isinstance(a, ast.Name | ast.Constant) for a in free.values())
        short = plain.__name__.startswith(("_", "<")) or simple
        if owner is not None and self._sources.is_object(owner):
            short = not fields(owner) and "self" not in {
                n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name)
            }
        if short and len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
            done = self._inlined(body[0].value, plain, fixed, free)
            if done is not None:
                return done
        arguments = [self.visit(a) for a in free.values()]
        if owner is not None and self._sources.is_object(owner):
            self._sources.method(owner, plain, {k: v for k, v in fixed.items() if k != "self"})
            to = self.visit(node.func.value)  # pyright: ignore[reportAttributeAccessIssue]
            return ast.Call(ast.Attribute(to, plain.__name__, ast.Load()), arguments, [])
        of = "" if owner is None else self._called(node.func.value)  # pyright: ignore[reportAttributeAccessIssue]
        name, definition, opened = self._sources.function(plain, fixed, of)
        body = [s for s in definition.body if not is_docstring(s)]
        if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None and not opened:
            # Names of the script are no parameters, so the arguments can stand in the finished text.
            uses = [n.id for n in ast.walk(body[0].value) if isinstance(n, ast.Name)]
            hands_on = isinstance(body[0].value, ast.Name)
            if hands_on or (
                owner is not None
                and all(
                    uses.count(name) <= 1 or isinstance(a, ast.Name)
                    for name, a in zip(free, arguments, strict=True)
                )
            ):
                placed = {k: Done(inner=a) for k, a in zip(free, arguments, strict=True)}
                return _Written(placed).visit(copy.deepcopy(body[0].value))
        self._sources.keep(name)
        return ast.Call(
            ast.Name(name, ast.Load()), [*(ast.Name(o, ast.Load()) for o in opened), *arguments], []
        )

    def _spread(self, node: ast.expr) -> Sequence[ast.expr]:
        """The parts of a tuple that is handed over with a star."""
        value = self._value(node.value) if isinstance(node, ast.Starred) else UNKNOWN
        if not (isinstance(value, tuple) and is_plain(value)):
            return [node]
        return [ast.Constant(part) for part in value]  # pyright: ignore[reportArgumentType]

    def _bound(
        self, node: ast.Call, source: ast.FunctionDef, owner: Any
    ) -> tuple[dict[str, Any], dict[str, ast.expr]]:
        """Arguments that are fixed, with their values, and the others, by name."""
        names = [a.arg for a in (*source.args.args, *source.args.kwonlyargs)]
        fixed: dict[str, Any] = {}
        if owner is not None:
            fixed["self"] = owner
            names.remove("self")
        given = dict(zip(names, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
        defaults = dict(zip(reversed(source.args.args), reversed(source.args.defaults), strict=False))
        defaults |= dict(zip(source.args.kwonlyargs, source.args.kw_defaults, strict=True))
        given = {a.arg: d for a, d in defaults.items() if isinstance(d, ast.Constant)} | given
        free: dict[str, ast.expr] = {}
        for name in names:
            if name not in given:
                continue
            value = self._opened(given[name])
            if value is not UNKNOWN and is_fixed(value):
                fixed[name] = value
            else:
                free[name] = given[name]
        return fixed, free

    def _opened(self, node: ast.expr) -> Any:
        """The value of an argument; a record of which some fields are variables is ``Open``."""
        match node:
            case ast.Call(func=ast.Attribute(value=whole, attr="but"), keywords=changes):
                names = {k.arg: k.value.id for k in changes if k.arg and isinstance(k.value, ast.Name)}
                return Open(self._value(whole), names)
            case _:
                return self._value(node)

    def _inlined(
        self, body: ast.expr, function: Callable[..., Any], fixed: dict[str, Any], free: dict[str, ast.expr]
    ) -> Any:
        """The body with the arguments in their places, or None where one would be worked out twice."""
        uses = [n.id for n in ast.walk(body) if isinstance(n, ast.Name)]
        done: dict[str, ast.expr] = {}
        for name, argument in free.items():
            record = isinstance(argument, ast.Call) and inspect.isclass(self._value(argument.func))
            if not (record or uses.count(name) <= 1 or isinstance(argument, ast.Name | ast.Constant)):
                return None
            done[name] = argument if record else self.visit(copy.deepcopy(argument))
        body = _Placed(self, done).visit(copy.deepcopy(body))
        names = dict(function.__globals__)
        inner = Specialiser(self._sources, names, {**fixed, **dict.fromkeys(done, UNKNOWN)})
        return inner.visit(body)

    def field_of(self, call: ast.Call, field: str) -> ast.expr:
        """What a record was made with, as the script's."""
        fields = list(self._value(call.func).__annotations__)
        return self.visit(copy.deepcopy(call.args[fields.index(field)]))

    def _constructed(self, node: ast.Call, cls: type) -> ast.Call:
        known = [self._value(a) for a in node.args]
        if known and all(is_part(v) for v in known):
            # A net: made of what is known, so it is written for that.
            name = self._sources.module(cls, known)
            return ast.Call(ast.Name(name, ast.Load()), [], [])
        node.func = ast.Name(self._sources.record(cls), ast.Load())
        node.args = [self.visit(a) for a in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node


class _Placed(ast.NodeTransformer):
    """Arguments in the place of a function's parameters."""

    def __init__(self, caller: Specialiser, arguments: dict[str, ast.expr]) -> None:
        self._caller, self._arguments = caller, arguments

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """The field of a record that is just being made is what it is made with."""
        made = self._arguments.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if isinstance(made, ast.Call) and isinstance(node.value, ast.Name):
            if inspect.isclass(self._caller._value(made.func)):  # pyright: ignore[reportPrivateUsage]
                return Done(inner=self._caller.field_of(made, node.attr))
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """The argument, which is the script's already."""
        argument = self._arguments.get(node.id)
        if isinstance(argument, ast.Call) and inspect.isclass(self._caller._value(argument.func)):  # pyright: ignore[reportPrivateUsage]
            argument = self._caller.visit(copy.deepcopy(argument))
        return node if argument is None else Done(inner=argument)


class _Written(ast.NodeTransformer):
    """Arguments in the place of the parameters of a finished function."""

    def __init__(self, arguments: dict[str, Done]) -> None:
        self._arguments = arguments

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The argument."""
        return self._arguments[node.id].inner if node.id in self._arguments else node
