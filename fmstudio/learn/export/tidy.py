"""Source as a script wants it: bare of annotations, checks, and the generator and device of every draw.

A script draws from torch's own generator on the CPU, and its choices were checked when it was written.
"""

from __future__ import annotations

import ast
import inspect
import io
import pickle
import textwrap
import tokenize
from collections.abc import Callable
from functools import cache
from typing import Any, TypeGuard

Function = ast.FunctionDef | ast.Lambda
_LEFT_OUT = ("generator", "device")
_NOTES_TO_TOOLS = ("pyright:", "fmt:", "noqa")


def parsed(function: Callable[..., Any]) -> ast.FunctionDef:
    """The definition of a function, tidied, to be changed; a lambda becomes one with a single return.

    Args:
        function: with a source; a lambda must be alone on its first line.
    """
    return pickle.loads(_parsed(function))


@cache
def _parsed(function: Callable[..., Any]) -> bytes:
    # Read back faster than it is parsed or copied.
    if function.__name__ != "<lambda>":
        node = with_comments(_source(function)).body[0]
        assert isinstance(node, ast.FunctionDef)
        return pickle.dumps(tidied(node))
    line = function.__code__.co_firstlineno
    tree = ast.parse(_source(inspect.getmodule(function)))
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and n.lineno == line)
    return pickle.dumps(ast.FunctionDef("<lambda>", node.args, [ast.Return(node.body)], [], None))


@cache
def _source(what: Any) -> str:
    return textwrap.dedent(inspect.getsource(what))


def tidied(node: ast.FunctionDef) -> ast.FunctionDef:
    """The function without annotations, checks and generators; its docstring is one line."""
    node = _Tidy().visit(node)
    node.body = node.body or [ast.Pass()]
    return node


def with_comments(text: str) -> ast.Module:
    """Parsed source whose statements carry their comments: ``above``, a list, and ``beside``, a text."""
    comments, alone = {}, set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not any(note in token.string for note in _NOTES_TO_TOOLS):
            comments[token.start[0]] = token.string
            if not token.line[: token.start[1]].strip():
                alone.add(token.start[0])
    module = ast.parse(text)
    for node in ast.walk(module):
        if isinstance(node, ast.stmt):
            line, above = node.lineno - 1, list[str]()
            while line in alone:
                above.insert(0, comments[line])
                line -= 1
            last = node.end_lineno or node.lineno
            beside = comments.get(last, "") if last not in alone and not hasattr(node, "body") else ""
            vars(node).update(above=above, beside=beside)
    return module


def one_line(node: ast.FunctionDef | ast.ClassDef) -> ast.stmt | None:
    """The docstring's first line, as a statement, or None."""
    said = ast.get_docstring(node)
    return None if said is None else ast.Expr(ast.Constant(said.splitlines()[0]))


def is_docstring(node: ast.stmt) -> TypeGuard[ast.Expr]:
    """Whether a statement is a text alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _names_generator(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in _LEFT_OUT


def _is_place(node: ast.AST) -> bool:
    return _names_generator(node) or (isinstance(node, ast.Attribute) and node.attr == "device")


class _Tidy(ast.NodeTransformer):
    """The rules, one method each."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave annotations out, and all of the docstring but its first line."""
        said, node.returns = one_line(node), None
        node.args = self._bare(node.args)
        node.body = self._block(node.body)
        if said is not None:
            node.body[0] = said
        node.decorator_list = [d for d in node.decorator_list if ast.unparse(d) == "torch.no_grad()"]
        return node

    def _bare(self, arguments: ast.arguments) -> ast.arguments:
        for argument in (*arguments.args, *arguments.kwonlyargs):
            argument.annotation = None
        kept = [a for a in arguments.args if a.arg not in _LEFT_OUT]
        # A generator has no default, and stands before those that have.
        arguments.args = kept
        return arguments

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        done = [self.visit(statement) for statement in body]
        return [s for part in done if part is not None for s in (part if isinstance(part, list) else [part])]

    def visit_If(self, node: ast.If) -> Any:
        """A branch that raises is a check."""
        if all(isinstance(s, ast.Raise) for s in node.body[-1:]):
            return self._block(node.orelse)
        self.generic_visit(node)
        return node

    def visit_Try(self, node: ast.Try) -> Any:
        """What goes wrong is left to Python."""
        return self._block(node.body)

    def visit_Assert(self, node: ast.Assert) -> None:
        """The studio's own."""

    def visit_Delete(self, node: ast.Delete) -> None:
        """Said for the checkers of the studio."""

    def visit_Expr(self, node: ast.Expr) -> Any:
        """A call named after a check returns nothing."""
        if isinstance(node.value, ast.Call):
            name = ast.unparse(node.value.func).rpartition(".")[2]
            if name.lstrip("_").startswith("check"):
                return None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """An assignment without its annotation."""
        if node.value is None:
            return None
        plain = ast.Assign([node.target], node.value)
        vars(plain).update({k: v for k, v in vars(node).items() if k in ("above", "beside")})
        return self.visit(plain)

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Devices are not named; what is then assigned to itself is left out."""
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = [
                (t, self.visit(v)) for t, v in zip(target.elts, value.elts, strict=True) if not _is_place(v)
            ]
            pairs = [(t, v) for t, v in pairs if ast.unparse(t) != ast.unparse(v)]
            return assigned(node, pairs)
        if _is_place(value):
            return None
        self.generic_visit(node)
        return None if ast.unparse(target) == ast.unparse(node.value) else node

    def visit_Call(self, node: ast.Call) -> Any:
        """No generator and no device among the arguments; moving to a device is left out."""
        self.generic_visit(node)
        node.args = [a for a in node.args if not _names_generator(a)]
        node.keywords = [k for k in node.keywords if k.arg not in _LEFT_OUT]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "to" and not node.keywords:
            moved = [a for a in node.args if not _is_place(a)]
            if not moved:
                return node.func.value
        return node


def assigned(node: ast.Assign, pairs: list[tuple[ast.expr, ast.expr]]) -> ast.Assign | None:
    """The assignment of these values to these targets, one or several."""
    if not pairs:
        return None
    targets, values = [t for t, _ in pairs], [v for _, v in pairs]
    node.targets = [targets[0] if len(pairs) == 1 else ast.Tuple(targets, ast.Store())]
    node.value = values[0] if len(pairs) == 1 else ast.Tuple(values, ast.Load())
    return node
