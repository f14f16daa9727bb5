"""Layout: syntax trees as text, with comments, double quotes and lines of at most 110 letters."""

from __future__ import annotations

import ast
import copy
import io
import re
import tokenize
from collections.abc import Iterator, Sequence

WIDTH = 110
_STRINGS = re.compile("'[^']*'|\"[^\"]*\"")


def text_of(statements: Sequence[ast.stmt]) -> str:
    """The statements as text, ending with a line break; two empty lines around each definition.

    A statement's attributes ``above`` and ``beside`` hold its comments.
    """
    parts, before = list[str](), None
    for statement in statements:
        apart = isinstance(statement, ast.FunctionDef | ast.ClassDef)
        if parts:
            parts.append("\n\n" if apart or before else "")
        parts.append("".join(line + "\n" for line in _lines(statement, "")))
        before = apart
    return _double_quoted("".join(parts))


def _lines(node: ast.stmt, indent: str) -> Iterator[str]:
    for comment in getattr(node, "above", ()):
        yield indent + comment
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield from (f"{indent}@{ast.unparse(d)}" for d in node.decorator_list)
        yield from _wrapped(_head(node), indent)
        for k, inner in enumerate(node.body):
            if isinstance(node, ast.ClassDef) and k and isinstance(inner, ast.FunctionDef):
                yield ""
            yield from _lines(inner, indent + "    ")
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        line = f'{indent}"""{node.value.value}"""'
        yield from [line] if len(line) <= WIDTH else [line[:-3], f'{indent}"""']
        return
    bodies = [(name, getattr(node, name, [])) for name in ("body", "orelse")]
    if not bodies[0][1]:
        beside = getattr(node, "beside", "")
        *lines, last = _wrapped(_simple(node), indent)
        yield from lines
        yield f"{last}  {beside}" if beside else last
        return
    for name, body in bodies:
        if body:
            yield from _wrapped(_opening(node) if name == "body" else "else:", indent)
            for inner in body:
                yield from _lines(inner, indent + "    ")


def _head(node: ast.FunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.FunctionDef):
        return f"def {node.name}({ast.unparse(node.args)}):"
    bases = ", ".join(map(ast.unparse, node.bases))
    return f"class {node.name}({bases}):" if bases else f"class {node.name}:"


def _opening(node: ast.stmt) -> str:
    """The first line of a compound statement."""
    hollow = copy.copy(node)
    vars(hollow)["body"] = [ast.Pass()]
    if hasattr(hollow, "orelse"):
        vars(hollow)["orelse"] = []
    return ast.unparse(ast.fix_missing_locations(hollow)).splitlines()[0]


def _simple(node: ast.stmt) -> str:
    """A statement of one line; a tuple that is assigned or returned needs no brackets."""
    value = getattr(node, "value", None)
    if isinstance(node, ast.Assign | ast.Return) and isinstance(value, ast.Tuple) and len(value.elts) > 1:
        values = ", ".join(map(ast.unparse, value.elts))
        if isinstance(node, ast.Return):
            return f"return {values}"
        (target,) = node.targets
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        return f"{', '.join(map(ast.unparse, parts))} = {values}"
    return ast.unparse(ast.fix_missing_locations(node))


def _wrapped(line: str, indent: str) -> list[str]:
    """The line, broken at the commas of its outermost brackets where it is too long."""
    start, end = _brackets(line)
    if len(indent) + len(line) <= WIDTH or not start:
        return [indent + line]
    rows, row, inner = [indent + line[:start]], "", indent + "    "
    for part in _parts(line[start:end]):
        if row and len(inner) + len(row) + len(part) + 3 > WIDTH:
            rows += _wrapped(row + ",", inner)
            row = ""
        row += f", {part}" if row else part
    return [*rows, *_wrapped(row + ",", inner), indent + line[end:]]


def _brackets(line: str) -> tuple[int, int]:
    """Where the content of a line's first brackets begins and ends; of those alone inside, of these."""
    line = _STRINGS.sub(lambda found: "s" * len(found[0]), line)
    opening = [k for k, letter in enumerate(line) if letter in "([{"]
    if not opening:
        return 0, 0
    start, end = opening[0] + 1, _closing(line, opening[0])
    while line[start] in "([{" and _closing(line, start) == end - 1:
        start, end = start + 1, end - 1
    return start, end


def _closing(line: str, start: int) -> int:
    depth = 0
    for k in range(start, len(line)):
        depth += (line[k] in "([{") - (line[k] in ")]}")
        if not depth:
            return k
    return len(line)


def _parts(text: str) -> list[str]:
    """What stands between the commas outside of brackets and quotes."""
    parts, depth = [""], 0
    for letter, plain in zip(text, _STRINGS.sub(lambda found: "s" * len(found[0]), text), strict=True):
        depth += (plain in "([{") - (plain in ")]}")
        if plain == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _double_quoted(text: str) -> str:
    """The text with double quotes around every string that holds none."""
    lines = text.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        (row, start), (_, end) = token.start, token.end
        if token.type == tokenize.STRING and '"' not in token.string and token.start[0] == token.end[0]:
            line = lines[row - 1]
            lines[row - 1] = line[:start] + token.string.replace("'", '"') + line[end:]
    return "".join(lines)
