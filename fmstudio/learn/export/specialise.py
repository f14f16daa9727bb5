"""A function written for what is known of its arguments: known branches only, known numbers as numbers."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from fmstudio.learn.export.calls import Calls, called
from fmstudio.learn.export.known import UNKNOWN, Done, Open, is_fixed, is_ours, is_part, is_plain
from fmstudio.learn.export.tidy import assigned, is_docstring

if TYPE_CHECKING:
    from fmstudio.learn.export.sources import Sources


class Specialiser(Calls):
    """One function's source, rewritten for what is known.

    Args:
        sources: where everything is asked for that the function needs.
        names: of the function's module.
        known: values of its arguments.
    """

    opened: list[str]

    def __init__(self, sources: Sources, names: dict[str, Any], known: dict[str, Any]) -> None:
        super().__init__(sources, names, known)
        self.opened = []

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
        test = self.value(node.test)
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
            known = self.value(what)
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

    def _grounded(self, node: ast.AST) -> bool:
        """Whether it speaks of an argument's value, not only of the module's names or an object's fields."""
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        if any(n.id == "self" for n in names) and not is_fixed(self.value(node)):
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
            value = self.value(node)
            if value is not UNKNOWN and self._grounded(node):
                if is_plain(value):
                    return ast.parse(repr(value), mode="eval").body
                if is_part(value) and self._sources.is_object(value) and not self._inside_self(node):
                    return ast.Name(self._sources.object(value, called(node)), ast.Load())
                if inspect.isfunction(value) and is_ours(value):
                    return ast.Name(self._sources.function(value, {})[0], ast.Load())
        return super().visit(node)

    def _inside_self(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == "self" for n in ast.walk(node))

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        """Nothing is added where it is known to be 0."""
        if isinstance(node.op, ast.Add) and self.value(node.right) == 0:
            return self.visit(node.left)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        """Only the branch that is taken."""
        test = self.value(node.test)
        return self.generic_visit(node) if test is UNKNOWN else self.visit(node.body if test else node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        """Without the parts that decide nothing."""
        neutral = isinstance(node.op, ast.And)
        left = [v for v in node.values if self.value(v) is UNKNOWN or bool(self.value(v)) != neutral]
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
        owner = self.value(node.value)
        if isinstance(owner, Open):
            return ast.Name(owner.names[node.attr], ast.Load())
        if is_part(owner):
            self._sources.read(owner, node.attr)
        self.generic_visit(node)
        return node
