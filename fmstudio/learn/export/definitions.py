"""Definitions: what a script holds, as text: functions, classes with their objects, and lines of its own."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from types import BuiltinFunctionType
from typing import Any

from torch import Tensor, nn

from fmstudio.learn.export.known import is_ours, is_part
from fmstudio.learn.export.layout import text_of
from fmstudio.learn.export.literals import import_lines, import_of, tensor_text
from fmstudio.learn.export.pruning import Pruning
from fmstudio.learn.export.tidy import one_line, with_comments


@dataclass
class Function:
    """A function of the script, and the variables it needs in the place of records."""

    node: ast.FunctionDef
    opened: list[str]


@dataclass
class ClassText:
    """A class of the script. ``objects`` are those written out; a record has none."""

    kind: type
    name: str
    objects: list[Any] = field(default_factory=list)
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)


@dataclass
class ObjectText:
    """An object at the top of the script."""

    name: str
    value: Any
    code: str = ""


@dataclass
class Lines:
    """Lines that were written for this experiment."""

    nodes: list[ast.stmt]


class Definitions:
    """The definitions of a script, in their order."""

    def __init__(self) -> None:
        self._items: list[Function | ClassText | ObjectText | Lines] = []
        self._functions: dict[Any, tuple[str, Function]] = {}
        self._classes: dict[type, ClassText] = {}
        self._objects: dict[int, ObjectText] = {}
        self._taken: dict[str, Any] = {}
        self._imports: set[str] = set()

    def write(self, text: str) -> None:
        """Add lines of the script as they are."""
        self._items.append(Lines(with_comments(text).body))

    def need(self, line: str) -> None:
        """Add an import."""
        self._imports.add(line)

    def text(self) -> str:
        """The imports and all that was put into the script."""
        statements = list(self._statements())
        objects = {o.name for o in self._objects.values()}
        Pruning(statements, self._records(), objects).run()
        body = text_of(statements)
        return import_lines(self._imports) + "\n\n" + body

    def _name(self, wanted: str, key: Any) -> str:
        name, k = wanted, 2
        while self._taken.setdefault(name, key) != key:
            name, k = f"{wanted}_{k}", k + 1
        return name

    def _class(self, cls: type, listed: bool = True) -> ClassText:
        if cls not in self._classes:
            self._classes[cls] = ClassText(cls, self._name(cls.__name__, cls))
        made = self._classes[cls]
        if listed and not any(item is made for item in self._items):
            self._items.append(made)
        return made

    def _read_of(self, made: ClassText) -> set[str]:
        """What the methods of a class read of their object."""
        return made.read | {
            n.attr
            for m in made.methods.values()
            for n in ast.walk(m)
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "self"
        }

    def _statements(self) -> Iterator[ast.stmt]:
        for item in self._items:
            match item:
                case Function():
                    yield item.node
                case ClassText():
                    yield self._class_node(item)
                case ObjectText():
                    text = self._literal(item.value)
                    if item.code:
                        text = f"{self._class(type(item.value)).name}({item.code})"
                    yield from with_comments(f"{item.name} = {text}").body
                case Lines():
                    yield from item.nodes

    def _class_node(self, made: ClassText) -> ast.ClassDef:
        node = _class_source(made.kind)
        said = one_line(node)
        node.name = made.name
        node.bases = [b for b in node.bases if not is_ours(made.kind.__mro__[1]) and ast.unparse(b) != "ABC"]
        for base in node.bases:
            self._base(base, made.kind)
        head: list[ast.stmt] = [said] if said is not None else []
        head += self._fields(made, node)
        written = is_dataclass(made.kind) and any(isinstance(s, ast.AnnAssign) for s in head)
        node.decorator_list = [ast.Name("dataclass", ast.Load())] if written else []
        if written:
            self.need("from dataclasses import dataclass")
        node.body = [*head, *made.methods.values()] or [ast.Pass()]
        return node

    def _base(self, base: ast.expr, cls: type) -> None:
        root = ast.unparse(base).split(".")[0]
        self._imports.add(import_of(root, cls.__module__))

    def _fields(self, made: ClassText, node: ast.ClassDef) -> Iterator[ast.stmt]:
        if not made.objects and made.kind.__annotations__ and not issubclass(made.kind, nn.Module):
            for line in node.body:
                if isinstance(line, ast.AnnAssign):
                    if "Tensor" in ast.unparse(line.annotation):
                        self.need("from torch import Tensor")
                    yield line
        for f in self._own(made):
            kind = type(getattr(made.objects[0], f))
            yield ast.AnnAssign(ast.Name(f, ast.Store()), self._annotation(kind), None, 1)

    def _annotation(self, kind: type) -> ast.Name:
        if kind is Tensor:
            self.need("from torch import Tensor")
        if issubclass(kind, BuiltinFunctionType):
            self.need("from collections.abc import Callable")
            return ast.Name("Callable", ast.Load())
        made = self._classes.get(kind)
        return ast.Name(made.name if made else kind.__name__, ast.Load())

    def _own(self, made: ClassText) -> list[str]:
        """The fields that objects of a class are written with."""
        if not made.objects:
            return []
        read = self._read_of(made)
        named = [f.name for f in fields(made.kind) if f.name in read]
        return [f for f in named if any(getattr(o, f) is not None for o in made.objects)]

    def _literal(self, value: Any) -> str:
        if isinstance(value, Tensor):
            self.need("import torch")
            return tensor_text(value)
        if is_part(value):
            made = self._class(type(value))
            inner = (f"{f}={self._literal(getattr(value, f))}" for f in self._own(made))
            return f"{made.name}({', '.join(inner)})"
        return repr(value)

    def _records(self) -> dict[str, list[str]]:
        """The fields of each class whose objects are made in the script."""
        made = (c for c in self._classes.values() if not c.objects and not issubclass(c.kind, nn.Module))
        return {c.name: list(c.kind.__annotations__) for c in made}


def _class_source(cls: type) -> ast.ClassDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(node, ast.ClassDef)
    return node
