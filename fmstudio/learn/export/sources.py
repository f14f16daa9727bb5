"""Sources: everything that some functions need of the studio, collected from its modules and in their order.

Functions, objects with their classes and records are found by following the names in the source, so a new
path or solver needs nothing here. Of a class only the methods that are called are kept, with those of its
bases; an object is written as it stands, with the fields that these methods read.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cached_property
from types import ModuleType
from typing import Any

import torch

from fmstudio.learn.export.definitions import Definitions, Function, ObjectText
from fmstudio.learn.export.known import is_ours, is_part, is_plain
from fmstudio.learn.export.literals import import_of
from fmstudio.learn.export.specialise import Specialiser
from fmstudio.learn.export.tidy import parsed, with_comments


class Sources(Definitions):
    """The definitions of a script, asked for one by one.

    Args:
        facts: classes whose objects are only read: they are no part of a script.
        turns: whether the coefficients of the path are complex.
        zero: names of fields that are 0.
    """

    def __init__(self, facts: tuple[type, ...], turns: bool, zero: frozenset[str]) -> None:
        super().__init__()
        self._facts, self.turns, self.zero = facts, turns, zero
        self._instead: dict[Callable[..., Any], str] = {}

    def text(self) -> str:
        """The imports and all that was put into the script."""
        self._complete()
        return super().text()

    def is_object(self, value: Any) -> bool:
        """Whether a value is written as an object: no fact, and none of its fields is a function."""
        if not is_part(value) or isinstance(value, self._facts):
            return False
        return not any(inspect.isfunction(getattr(value, f.name, None)) for f in fields(value))

    def function(
        self, function: Callable[..., Any], fixed: Mapping[str, Any], of: str = ""
    ) -> tuple[str, ast.FunctionDef, list[str]]:
        """A function written for fixed arguments: its name, definition and the variables it is given first.

        It is in the script once :meth:`keep` was called with its name.
        """
        function = inspect.unwrap(function)
        key = (function, *((k, v if is_plain(v) else id(v)) for k, v in sorted(fixed.items())))
        key = tuple(part if not (isinstance(part, tuple) and part[0] == "self") else "self" for part in key)
        if key not in self._functions:
            name = self._name(f"{of}_{function.__name__}" if of else function.__name__, key)
            rewriter = Specialiser(self, function.__globals__, dict(fixed))
            node = rewriter.run(self.source(function))
            node.name = name
            self._functions[key] = name, Function(node, rewriter.opened)
        name, made = self._functions[key]
        return name, made.node, made.opened

    def source(self, function: Callable[..., Any]) -> ast.FunctionDef:
        """A function's definition, tidied: its own, or the one that stands in for it."""
        if function in self._instead:
            node = with_comments(self._instead[function]).body[0]
            assert isinstance(node, ast.FunctionDef)
            return node
        return parsed(function)

    def replace(self, function: Callable[..., Any], text: str) -> None:
        """Let a definition stand in for a function's own."""
        self._instead[function] = text

    def keep(self, name: str) -> None:
        """Put a function into the script."""
        made = next(f for n, f in self._functions.values() if n == name)
        if not any(item is made for item in self._items):
            self._items.append(made)

    def method(self, owner: Any, function: Callable[..., Any], fixed: Mapping[str, Any]) -> None:
        """Put a method of an object into the script."""
        made = self._class(type(owner), listed=False)
        if not any(o is owner for o in made.objects):
            made.objects.append(owner)
        versions = [
            Specialiser(self, function.__globals__, {**fixed, "self": o}).run(parsed(function))
            for o in made.objects
        ]
        if len({ast.dump(v) for v in versions}) > 1:
            versions = [Specialiser(self, function.__globals__, dict(fixed)).run(parsed(function))]
        made.methods[function.__name__] = versions[0]
        # After all that it needs: the classes of its fields stand above it.
        self._class(type(owner))

    def object(self, value: Any, called: str) -> str:
        """The name of an object at the top of the script."""
        if id(value) not in self._objects:
            self._class(type(value))
            self._objects[id(value)] = made = ObjectText(self._name(called, id(value)), value)
            self._items.append(made)
        return self._objects[id(value)].name

    def read(self, owner: Any, name: str) -> None:
        """Note that a field of an object is read outside of its class."""
        if self.is_object(owner):
            self._class(type(owner)).read.add(name)

    def record(self, cls: type) -> str:
        """A class whose objects are made in the script."""
        return self._class(cls).name

    def module(self, cls: type, arguments: list[Any]) -> str:
        """A net, written for what it is made of."""
        if cls not in self._classes:
            made = self._class(cls, listed=False)
            with torch.random.fork_rng(devices=[]):
                example = cls(*arguments)
            for name, function in inspect.getmembers(cls, inspect.isfunction):
                if name in vars(cls):
                    known = {"self": example}
                    if name == "__init__":
                        known = dict(zip([*inspect.signature(cls).parameters], arguments, strict=True))
                    made.methods[name] = Specialiser(self, function.__globals__, known).run(parsed(function))
        return self._class(cls).name

    def named(self, name: str, names: Mapping[str, Any]) -> str:
        """The script's name for what a module knows by a name: imported, or with its definition."""
        value = names[name]
        if inspect.isfunction(value) and is_ours(value):
            found = self.function(value, {})[0]
            self.keep(found)
            return found
        if inspect.isclass(value) and is_ours(value):
            return self.record(value)
        if isinstance(value, ModuleType) or callable(value):
            self._imports.add(import_of(name, names["__name__"]))
        return name

    def add(self, function: Callable[..., Any], known: Mapping[str, Any]) -> None:
        """Put a function into the script that is written for those of the known values that it takes."""
        taken = inspect.signature(function).parameters
        self.keep(self.function(function, {k: v for k, v in known.items() if k in taken})[0])

    def embed(self, value: Any, name: str, code: str, *needs: Callable[..., Any]) -> None:
        """Write an object as a call of its class with this code, which needs these functions."""
        for function in needs:
            self.add(function, {})
        made = self._class(type(value))
        made.objects.append(value)
        made.read |= {f.name for f in fields(value) if getattr(value, f.name) is not None}
        self._objects[id(value)] = ObjectText(self._name(name, id(value)), value, code)
        self._items.append(self._objects[id(value)])

    def _complete(self) -> None:
        """Add the methods and properties that are only known by their names."""
        found = True
        while found:
            found = False
            for made in list(self._classes.values()):
                wanted = self._read_of(made) if made.objects else self._attributes
                for name in wanted - set(made.methods):
                    function = inspect.getattr_static(made.kind, name, None)
                    function = getattr(function, "fget", function)
                    if not name.startswith("__") and inspect.isfunction(function) and is_ours(function):
                        before = len(self._items)
                        made.methods[name] = Specialiser(self, function.__globals__, {}).run(parsed(function))
                        if isinstance(inspect.getattr_static(made.kind, name), property):
                            made.methods[name].decorator_list = [ast.Name("property", ast.Load())]
                        new, self._items[before:] = self._items[before:], []
                        at = next(k for k, item in enumerate(self._items) if item is made)
                        self._items[at:at] = new
                        found = True
                        self.__dict__.pop("_attributes", None)
            self.__dict__.pop("_attributes", None)

    @cached_property
    def _attributes(self) -> set[str]:
        """Every attribute that the script speaks of."""
        return {
            n.attr
            for part in [f.node for f in self._items if isinstance(f, Function)]
            + [m for c in self._classes.values() for m in c.methods.values()]
            for n in ast.walk(part)
            if isinstance(n, ast.Attribute)
        }
