"""Pruning: what nothing in the script reads is left out, and what only hands on is written out.

Fields of records that nothing reads, variables that nothing uses; a record of which one field is left is that
field, a function that only calls another with its own arguments is the other, and a variable that is only
returned is returned at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from fmstudio.learn.export.tidy import is_docstring

#: A draw is never left out, or the next would be another: no such word stands in what is.
_DRAWS = ("rand", "multinomial", "sample", "step")


class Pruning(ast.NodeTransformer):
    """The rules for one script.

    Args:
        statements: of the script, changed in place.
        records: the fields of each record that the script makes.
        objects: names of the objects at its top.
    """

    def __init__(
        self, statements: list[ast.stmt], records: Mapping[str, list[str]], objects: set[str]
    ) -> None:
        self._statements, self._objects = statements, objects
        self._records: dict[str, list[str]] = dict(records)
        read = {n.attr for n in self._nodes() if isinstance(n, ast.Attribute)}
        self._read = {name: [f for f in fields if f in read] for name, fields in records.items()}
        self._alone = {fields[0] for fields in self._read.values() if len(fields) == 1}
        self._same: dict[str, str] = {}

    def run(self) -> None:
        """Prune."""
        self._statements[:] = [s for s in self._statements if not self._is_needless(s)]
        for statement in self._statements:
            self.visit(statement)
        functions = [n for n in self._nodes() if isinstance(n, ast.FunctionDef)]
        for function in functions:
            while _without_one(function):
                pass
        self._records, self._alone = {}, set[str]()
        for name in (s.name for s in self._statements if isinstance(s, ast.FunctionDef)):
            self._hands_on(name)
        self._statements[:] = [s for s in self._statements if getattr(s, "name", "") not in self._same]
        for statement in self._statements:
            self.visit(statement)
        for function in functions:
            _returned_at_once(function.body)
            _without_defaults(function)

    def _nodes(self) -> Iterator[ast.AST]:
        return (n for s in self._statements for n in ast.walk(s))

    def _is_needless(self, statement: ast.stmt) -> bool:
        name = getattr(statement, "name", "")
        return name in self._read and len(self._read[name]) <= 1

    def _hands_on(self, name: str) -> None:
        """Note a function that only calls another with its own arguments."""
        function = next(s for s in self._statements if getattr(s, "name", "") == name)
        assert isinstance(function, ast.FunctionDef)
        body = [s for s in function.body if not is_docstring(s)]
        call = body[-1].value if isinstance(body[-1], ast.Return) else None
        if len(body) == 1 and isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            own = [a.arg for a in function.args.args]
            if own and own == [ast.unparse(a) for a in call.args] and not call.keywords:
                self._same[name] = call.func.id

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """A record without the fields that nothing reads."""
        if node.name in self._records:
            kept = self._read[node.name]
            node.body = [
                s for s in node.body if not isinstance(s, ast.AnnAssign) or ast.unparse(s.target) in kept
            ]
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        """A record is made of the fields that are read, or is the only one."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name):
            return node
        fields = self._records.get(node.func.id)
        if fields is not None and self._read[node.func.id] != fields[: len(node.args)]:
            kept = self._read[node.func.id]
            node.args = [a for a, name in zip(node.args, fields, strict=False) if name in kept]
            if len(kept) == 1:
                return node.args[0]
        node.func.id = self._same.get(node.func.id, node.func.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """The only field of a record is the record."""
        self.generic_visit(node)
        whose = ast.unparse(node.value)
        if node.attr in self._alone and whose != "self" and whose not in self._objects:
            return node.value
        return node


def _without_one(function: ast.FunctionDef) -> bool:
    """Leave out one assignment of a variable that nothing uses; whether there was one."""
    used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    for node in ast.walk(function):
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            for statement in body if isinstance(body, list) else []:
                if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                    continue
                drawn = any(word in ast.unparse(statement.value) for word in _DRAWS)
                if statement.targets[0].id not in used and not drawn:
                    getattr(node, name).remove(statement)
                    return True
    return False


def _returned_at_once(body: list[ast.stmt]) -> None:
    """Return a value without a name for it."""
    if len(body) < 2:
        return
    before, last = body[-2:]
    if not (isinstance(last, ast.Return) and isinstance(before, ast.Assign) and last.value is not None):
        return
    if ast.unparse(before.targets[0]) == ast.unparse(last.value):
        last.value = before.value
        body.remove(before)


def _without_defaults(function: ast.FunctionDef) -> None:
    """Leave out the last parameters that have a default and are not used: nothing gives them."""
    used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    arguments = function.args
    while arguments.defaults and arguments.args[-1].arg not in used:
        arguments.args.pop()
        arguments.defaults.pop()
