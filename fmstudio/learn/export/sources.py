"""Sources: a script's own lines, with the definitions of the studio that they need before them.

A definition is taken as it stands in its file, less what a script has no use for: annotations, checks, all of
a docstring but its first line, the generator and device of a draw (a script draws from torch's own on the
CPU), and the members of a class that nothing in the script names. Nothing is rewritten.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from torch import Tensor

_THIRD_PARTY = ("numpy", "torch", "scipy")
_ABSTRACT = ("ABC", "Protocol")
_PLACE = re.compile(
    r", generator=generator|, device=[\w.]*device|, generator\b(?=[,)])|\.to\([\w.]+\.device\)|  # pyright:.*"
)
_TO_ITSELF = re.compile(r"^ *(\w+) = \1\n", re.MULTILINE)


class _Text(NamedTuple):
    """A piece of a script, the names that it reads, and the attributes that may be members of a class."""

    text: str
    names: tuple[str, ...]
    attributes: frozenset[str]


def assembled(sections: Sequence[str], names: Mapping[str, Any], facts: Mapping[str, bool] = {}) -> str:
    """The sections of a script, each after the definitions that it is the first to need.

    Args:
        sections: code, in order.
        names: what the sections' names mean that they do not define: modules, functions, classes, numbers.
        facts: conditions whose answer is known, by their text or their last name: only the branch that is
            taken is written.

    Returns:
        Imports, definitions and sections.

    Raises:
        ValueError: two definitions of one name are needed.
    """
    read = [_read(section) for section in sections]
    wanted = frozenset[str]().union(*(section.attributes for section in read))
    while True:
        found = _Found(wanted, tuple(facts.items()))
        for section in read:
            found.needed(section.names, names)
            found.pieces.append(section)
        more = frozenset[str]().union(*(piece.attributes for piece in found.pieces))
        if more <= wanted:
            return "\n\n\n".join([found.imports(), *(piece.text for piece in found.pieces)]) + "\n"
        wanted |= more


def inlined(function: Callable[..., Any], *arguments: str) -> str | None:
    """What a function of one expression returns, as text, with the arguments in their places.

    Args:
        function: with a source; a lambda must be alone on its first line.
        arguments: code for each parameter but a generator; "" for a record whose fields are variables.

    Returns:
        The expression, or None where the function has more than one.
    """
    expression, parameters = _expression(function)
    if expression is None:
        return None
    placed = dict(zip((p for p in parameters if p != "generator"), arguments, strict=True))
    tree = _Placed(placed).visit(ast.parse(expression, mode="eval"))
    return _PLACE.sub("", ast.unparse(tree))


@cache
def _expression(function: Callable[..., Any]) -> tuple[str | None, tuple[str, ...]]:
    if function.__name__ == "<lambda>":
        module = ast.parse(inspect.getsource(sys.modules[function.__module__]))
        line = function.__code__.co_firstlineno
        node = next(n for n in ast.walk(module) if isinstance(n, ast.Lambda) and n.lineno == line)
        body: ast.AST = node.body
    else:
        node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        assert isinstance(node, ast.FunctionDef)
        body = node.body[-1]
        if len(node.body) > 1 + (ast.get_docstring(node) is not None) or not isinstance(body, ast.Return):
            return None, ()
    parameters = tuple(a.arg for a in node.args.args if a.arg != "self")
    return ast.unparse(body).removeprefix("return "), parameters


class _Placed(ast.NodeTransformer):
    """Arguments in the places of parameters."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self._arguments = arguments

    def visit_Name(self, node: ast.Name) -> ast.AST:
        argument = self._arguments.get(node.id)
        return ast.parse(argument, mode="eval").body if argument else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and self._arguments.get(node.value.id) == "":
            return ast.Name(node.attr, ast.Load())
        return self.generic_visit(node)


class _Found:
    """Definitions in the order of their need, and imports.

    Args:
        wanted: members of classes to keep.
        facts: conditions with their answers.
    """

    def __init__(self, wanted: frozenset[str], facts: tuple[tuple[str, bool], ...]) -> None:
        self.pieces: list[_Text] = []
        self._wanted, self._facts = wanted, facts
        self._meanings, self._imports = dict[str, Any](), set[str]()

    def needed(self, names: Iterable[str], meanings: Mapping[str, Any]) -> None:
        """Add what the names mean, in a module or for a section, and before it what that needs."""
        for name in names:
            if name not in meanings:
                continue
            value = meanings[name]
            if name in self._meanings:
                if self._meanings[name] is not value:
                    raise ValueError(f"A script needs two definitions of {name}.")
                continue
            self._meanings[name] = value
            if isinstance(value, int | float):
                self.pieces.append(_read(f"{name} = {value!r}"))
            elif isinstance(value, ModuleType) or not _is_ours(value):
                self._imports.add(_import_of(name, meanings["__name__"]))
            else:
                piece = _definition(value, self._wanted & frozenset(_members(value)), self._facts)
                self.needed(piece.names, vars(sys.modules[value.__module__]))
                self.pieces.append(piece)

    def imports(self) -> str:
        """The imports, those of one module in one line: the standard library's, then the others'."""
        taken: dict[str, list[str]] = {}
        for line in sorted(self._imports):
            start, _, name = line.partition(" import ") if line.startswith("from") else (line, "", "")
            taken.setdefault(start, []).append(name)
        whole = [f"{start} import {', '.join(n)}" if n[0] else start for start, n in taken.items()]
        whole.sort(key=lambda line: (line.startswith("from"), line))
        late = [line for line in whole if line.split()[1].split(".")[0] in _THIRD_PARTY]
        return "\n".join([*(line for line in whole if line not in late), "", *late])


def _is_ours(value: Any) -> bool:
    top = value.__module__.partition(".")[0]
    return top not in _THIRD_PARTY and top not in sys.stdlib_module_names


def _members(value: Any) -> set[str]:
    return set(dir(value)) if inspect.isclass(value) else set()


@cache
def _import_of(name: str, module: str) -> str:
    """The line by which a module knows a name."""
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    node.names = [alias]
                    return ast.unparse(node)
    raise LookupError(f"{module} does not import {name}.")


@cache
def _read(text: str) -> _Text:
    names, own, attributes = dict[str, None](), set[str](vars(builtins)), set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                names[node.id] = None
            else:
                own.add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            if of_self or not hasattr(Tensor, node.attr):
                attributes.add(node.attr)
    return _Text(text, tuple(n for n in names if n not in own), frozenset(attributes))


@cache
def _definition(value: Any, wanted: frozenset[str], facts: tuple[tuple[str, bool], ...]) -> _Text:
    """The source of a function, or of a class with the wanted members."""
    text = _decided(textwrap.dedent(inspect.getsource(value)), dict(facts))
    node = ast.parse(text).body[0]
    cuts = _Cuts(text)
    if isinstance(node, ast.ClassDef):
        cuts.of_class(node, value, wanted)
    else:
        assert isinstance(node, ast.FunctionDef)
        cuts.of_function(node)
    return _read(cuts.done())


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
        text = _TO_ITSELF.sub("", _PLACE.sub("", source.decode()))
        return re.sub(r"\n{3,}", "\n\n", text).strip()

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
        if kind is None or not _is_ours(kind):
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
            first = node.test.end_lineno if answer else taken[0].lineno - 1
            inside = self._text(self._starts[first], self._starts[taken[-1].end_lineno])
            block = textwrap.indent(textwrap.dedent(inside), " " * node.col_offset)
            self._cuts.append((self._starts[node.lineno - 1], self._starts[node.end_lineno], block))
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

    def _head(self, node: ast.ClassDef | ast.FunctionDef, new: str, parts: Sequence[ast.AST]) -> None:
        """What stands before the colon."""
        start = self._span(node)[0]
        last = max([start, *(self._span(part)[1] for part in parts)])
        self._cuts.append((start, self._source.index(b":", last), new))

    def _cut(self, first: ast.AST, last: ast.AST, new: str) -> None:
        self._cuts.append((self._span(first)[0], self._span(last)[1], new))

    def _drop(self, node: ast.stmt) -> None:
        """Whole lines, with a function's decorators."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        self._cuts.append((self._starts[first - 1], self._starts[node.end_lineno], ""))

    def _text(self, start: int, end: int) -> str:
        return self._source[start:end].decode()

    def _span(self, node: ast.AST) -> tuple[int, int]:
        """Where it starts and ends."""
        start, end = self._starts[node.lineno - 1], self._starts[node.end_lineno - 1]
        return start + node.col_offset, end + node.end_col_offset
