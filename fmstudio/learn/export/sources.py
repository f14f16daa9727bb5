"""Sources: a script's own lines, with the definitions of the studio that they need before them.

Names are followed from module to module, as Python does. Members of a class are kept if anything in the
script has an attribute of their name.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from torch import Tensor

from fmstudio.learn.export.cuts import PLACE, THIRD_PARTY, definition, is_ours


class _Text(NamedTuple):
    """A piece of a script, the names that it needs and defines, and the attributes that may be members."""

    text: str
    names: tuple[str, ...]
    defined: frozenset[str]
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
    own = frozenset[str]().union(*(section.defined for section in read))
    names = {name: value for name, value in names.items() if name not in own}
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
        arguments: code for each parameter but a generator (and ``self`` of a method that is not bound); ""
            for a record whose fields are variables.

    Returns:
        The expression, or None where the function has more than one, or needs the object that it is bound to.
    """
    expression, parameters = _expression(function)
    if expression is None:
        return None
    placed = dict(zip((p for p in parameters if p != "generator"), arguments, strict=True))
    tree = _Placed(placed).visit(ast.parse(expression, mode="eval"))
    return PLACE.sub("", ast.unparse(tree))


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
    bound = inspect.ismethod(function)
    if bound and any(isinstance(n, ast.Name) and n.id == "self" for n in ast.walk(body)):
        return None, ()
    parameters = tuple(a.arg for a in node.args.args)[bound:]
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
            elif isinstance(value, ModuleType) or not is_ours(value):
                self._imports.add(_import_of(name, meanings["__name__"]))
            else:
                members = dir(value) if inspect.isclass(value) else []
                piece = _read(definition(value, self._wanted.intersection(members), self._facts))
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
        late = [line for line in whole if line.split()[1].split(".")[0] in THIRD_PARTY]
        return "\n".join([*(line for line in whole if line not in late), "", *late])


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
    names, own, attributes = dict[str, None](), set[str](), set[str]()
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
    needed = tuple(n for n in names if n not in own and not hasattr(builtins, n))
    return _Text(text, needed, frozenset(own), frozenset(attributes))
