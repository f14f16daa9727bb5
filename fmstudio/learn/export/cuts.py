"""Cuts: a definition as it stands in its file, less what a script has no use for.

That is annotations, checks, all of a docstring but its first line, the generator and device of a draw (a
script draws from torch's own on the CPU), branches that are not taken, and members of a class that nothing in
the script names. What is left is the studio's own text, with its comments and line breaks.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

THIRD_PARTY = ("numpy", "torch", "scipy")
#: What says where a number is drawn or kept, and notes to the studio's tools.
PLACE = re.compile(
    r", generator=generator|, device=[\w.]*device|, generator\b(?=[,)])|\.to\([\w.]+\.device\)|  # pyright:.*"
)
_TO_ITSELF = re.compile(r"^ *(\w+) = \1\n", re.MULTILINE)
_ABSTRACT = ("ABC", "Protocol")
_Node = ast.stmt | ast.expr | ast.arg | ast.keyword


def is_ours(value: Any) -> bool:
    """Whether a class or function is neither Python's nor a library's that scripts may import."""
    top = value.__module__.partition(".")[0]
    return top not in THIRD_PARTY and top not in sys.stdlib_module_names


@cache
def definition(value: Any, wanted: frozenset[str], facts: tuple[tuple[str, bool], ...]) -> str:
    """The source of a function or class, cut.

    Args:
        value: the function or class.
        wanted: the members of the class to keep.
        facts: conditions with their answers: only the branch that is taken is kept.
    """
    text = _decided(textwrap.dedent(inspect.getsource(value)), dict(facts))
    node = ast.parse(text).body[0]
    cuts = _Cuts(text)
    if isinstance(node, ast.ClassDef):
        cuts.of_class(node, value, wanted)
    else:
        assert isinstance(node, ast.FunctionDef)
        cuts.of_function(node)
    return cuts.done()


def _decided(text: str, facts: Mapping[str, bool]) -> str:
    """The text with the taken branch in the place of each condition whose answer is known."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If | ast.IfExp):
            asked = ast.unparse(node.test)
            answer = facts.get(asked, facts.get(asked.rpartition(".")[2]))
            if answer is not None:
                cuts = _Cuts(text)
                cuts.branch(node, answer)
                return _decided(cuts.done(), facts)
    return text


class _Cuts:
    """What is left out of one definition, or stands in its place.

    Args:
        text: the definition.
    """

    def __init__(self, text: str) -> None:
        # A node's columns count bytes.
        self._source = text.encode()
        self._starts = [0]
        for line in self._source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._cuts: list[tuple[int, int, str]] = []

    def done(self) -> str:
        """The text without what is cut."""
        source = self._source
        for start, end, new in sorted(self._cuts, reverse=True):
            source = source[:start] + new.encode() + source[end:]
        text = _TO_ITSELF.sub("", PLACE.sub("", source.decode()))
        text = re.sub(r"\n{3,}", "\n\n", text).strip()
        return re.sub(r'"""\n\n(?=    \w+:)', '"""\n', text)

    def of_class(self, node: ast.ClassDef, cls: type, wanted: frozenset[str]) -> None:
        """Keep the wanted members, all fields of a record, and the bases that have something wanted."""
        bases = [base for base in node.bases if self._contributes(base, cls, wanted)]
        said = f"({', '.join(map(ast.unparse, bases))})" if bases else ""
        self._head(node, f"class {node.name}{said}", [*node.bases, *node.keywords])
        is_record = "__dataclass_fields__" in vars(cls) or issubclass(cls, tuple)
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name in wanted and not self._is_left_out(part):
                self.of_function(part)
            elif isinstance(part, ast.AnnAssign) and is_record:
                if isinstance(part.value, ast.Call):
                    self._cut(part.value, part.value, "None")
            elif isinstance(part, ast.Expr):
                self._docstring(part)
            elif not (isinstance(part, ast.Assign) and {ast.unparse(t) for t in part.targets} & wanted):
                self._drop(part)

    @staticmethod
    def _contributes(base: ast.expr, cls: type, wanted: frozenset[str]) -> bool:
        kind = next((k for k in cls.__mro__ if k.__name__ == ast.unparse(base)), None)
        if kind is None or not is_ours(kind):
            return ast.unparse(base) not in _ABSTRACT
        return any(
            name in wanted and not getattr(member, "__isabstractmethod__", False)
            for name, member in vars(kind).items()
        )

    @staticmethod
    def _is_left_out(node: ast.FunctionDef) -> bool:
        # A script makes its objects by their fields.
        return any(ast.unparse(d) in ("abstractmethod", "staticmethod") for d in node.decorator_list)

    def of_function(self, node: ast.FunctionDef) -> None:
        """Leave out annotations, checks and the docstring's details."""
        every = [*node.args.args, *node.args.kwonlyargs, *node.args.defaults, *node.args.kw_defaults]
        ends = [part for part in [*every, node.returns] if part is not None]
        for argument in (*node.args.args, *node.args.kwonlyargs):
            argument.annotation = None
        self._head(node, f"def {node.name}({ast.unparse(node.args)})", ends)
        for at, part in enumerate(node.body):
            if isinstance(part, ast.Return):
                for unreached in node.body[at + 1 :]:
                    self._drop(unreached)
                break
        for part in ast.walk(node):
            if isinstance(part, ast.stmt) and self._is_check(part):
                self._drop(part)
            elif isinstance(part, ast.AnnAssign):
                self._cut(part.target, part.annotation, ast.unparse(part.target))
        self._docstring(node.body[0])

    def branch(self, node: ast.If | ast.IfExp, answer: bool) -> None:
        """Keep only the branch that is taken."""
        if isinstance(node, ast.IfExp):
            self._cut(node, node, self._text(*self._span(node.body if answer else node.orelse)))
        elif taken := node.body if answer else node.orelse:
            # With the comments before it.
            first = _last(node.test) if answer else taken[0].lineno - 1
            inside = self._text(self._starts[first], self._starts[_last(taken[-1])])
            block = textwrap.indent(textwrap.dedent(inside), " " * node.col_offset)
            self._cuts.append((self._starts[node.lineno - 1], self._starts[_last(node)], block))
        else:
            self._drop(node)

    @staticmethod
    def _is_check(node: ast.stmt) -> bool:
        match node:
            case ast.Assert() | ast.Delete():
                return True
            case ast.If(body=[*_, ast.Raise()], orelse=[]):
                return True
            case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
                return name.lstrip("_").startswith("check")
            case _:
                return False

    def _docstring(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str(said))):
                self._cut(node, node, f'"""{said.splitlines()[0]}"""')
            case _:
                pass

    def _head(self, node: ast.ClassDef | ast.FunctionDef, new: str, parts: Sequence[_Node]) -> None:
        """What stands before the colon."""
        start = self._span(node)[0]
        last = max([start, *(self._span(part)[1] for part in parts)])
        self._cuts.append((start, self._source.index(b":", last), new))

    def _cut(self, first: _Node, last: _Node, new: str) -> None:
        self._cuts.append((self._span(first)[0], self._span(last)[1], new))

    def _drop(self, node: ast.stmt) -> None:
        """Whole lines, with a function's decorators."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        self._cuts.append((self._starts[first - 1], self._starts[_last(node)], ""))

    def _text(self, start: int, end: int) -> str:
        return self._source[start:end].decode()

    def _span(self, node: _Node) -> tuple[int, int]:
        """Where it starts and ends."""
        start, end = self._starts[node.lineno - 1], self._starts[_last(node) - 1]
        return start + node.col_offset, end + (node.end_col_offset or 0)


def _last(node: _Node) -> int:
    return node.end_lineno or node.lineno
