"""The pieces of a typed formula: numbers, names, and signs as keyboards and PDFs have them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from fmstudio.flow.formulas.duals import OPERATIONS
from fmstudio.flow.formulas.expressions import CONSTANTS

_TYPED = str.maketrans(
    dict.fromkeys("−–‐‑‒﹣－", "-")
    | dict.fromkeys("×·⋅∙∗", "*")
    | dict.fromkeys("÷∕⁄", "/")
    | {"（": "(", "）": ")", "½": " 0.5", "¼": " 0.25", "¾": " 0.75"}
)
_TOKEN = re.compile(
    r" *(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>π|[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<raised>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|(?P<mark>[-+*/^(),;|√]))"
)
_FUNCTIONS = [name for name in OPERATIONS if name.isalpha()]
_ALIASES = {"ln": "log", "tg": "tan", "π": "pi"}
_NAMES = sorted(["t", *CONSTANTS, *_FUNCTIONS, *_ALIASES], key=len, reverse=True)
_RUN_TOGETHER = re.compile(f"(?:{'|'.join(_NAMES)})+")


@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind ("number", "name", "raised", "mark", "end") and its place."""

    kind: str
    text: str
    start: int = 0
    stop: int = 0


END = Token("end", "")


def tokens_of(text: str) -> list[Token]:
    """The pieces of a formula: numbers, known names and the marks of the grammar, and nothing else.

    Args:
        text: as typed.

    Raises:
        ValueError: naming what is not allowed.
    """
    plain = " ".join("".join(map(_upright, text)).translate(_TYPED).split()).replace("**", "^")
    return _with_decimal_commas(_tokens(plain, text))


def _upright(letter: str) -> str:
    """Mathematical italics and their kin, as they come from a PDF, as plain letters."""
    return unicodedata.normalize("NFKC", letter) if 0x1D400 <= ord(letter) <= 0x1D7FF else letter


def _tokens(plain: str, text: str) -> list[Token]:
    found, at = [], 0
    while at < len(plain):
        match = _TOKEN.match(plain, at)
        if match is None:
            raise ValueError(f"{plain[at:].lstrip()[0]!r} is not allowed in a formula; got {text!r}.")
        kind = str(match.lastgroup)
        words = _words(match[kind]) if kind == "name" else [match[kind]]
        start = match.start(kind)
        for word in words:
            found.append(Token(kind, word, start, match.end()))
        at = match.end()
    return found


def _words(typed: str) -> list[str]:
    """The known names in a run of letters: "πt", "pit" and "PI" are too short for spaces."""
    left, words = typed.lower(), []
    if not _RUN_TOGETHER.fullmatch(left):
        hint = " Write a power as t^2." if re.fullmatch("t[0-9]+", left) else ""
        raise ValueError(
            f"{typed!r} is not allowed in a formula; it may use t, pi, e and {', '.join(_FUNCTIONS)}.{hint}"
        )
    while left:
        word = next(
            name
            for name in _NAMES
            if left.startswith(name) and (len(name) == len(left) or _RUN_TOGETHER.fullmatch(left, len(name)))
        )
        words.append(_ALIASES.get(word, word))
        left = left[len(word) :]
    return words


def _with_decimal_commas(tokens: list[Token]) -> list[Token]:
    """The tokens with 0,5 read as 0.5.

    A comma right between digits is decimal, but among the arguments of min and max: there it separates if it
    is the only one, it is decimal if semicolons separate, and otherwise both readings make sense.
    """
    inside: list[int | None] = []
    commas: dict[int | None, list[int]] = {}
    parted: set[int | None] = set()
    for k, token in enumerate(tokens):
        if token.text == "(":
            inside.append(k if k and tokens[k - 1].text in ("min", "max") else None)
        elif token.text == ")" and inside:
            inside.pop()
        elif token.text in (",", ";"):
            call = inside[-1] if inside else None
            commas.setdefault(call, []).append(k) if token.text == "," else parted.add(call)
    decimal: set[int] = set()
    for call, places in commas.items():
        tight = [k for k in places if _between_digits(tokens, k)]
        if call is None or call in parted:
            decimal |= set(tight)
        elif tight and len(places) > 1:
            raise ValueError(
                "Is the comma between digits a decimal point here? Write 0.5 for a number, and a blank after "
                f"a comma that separates arguments of {tokens[call - 1].text}."
            )
    joined: list[Token] = []
    for k, token in enumerate(tokens):
        if k - 1 in decimal:
            whole = joined.pop()
            if "." in whole.text:
                raise ValueError(
                    f"{whole.text.replace('.', ',')},{token.text} has two decimal commas; write 1234.5."
                )
            token = Token("number", f"{whole.text}.{token.text}", whole.start, token.stop)
        if k not in decimal:
            joined.append(token)
    return joined


def _between_digits(tokens: list[Token], k: int) -> bool:
    if not 0 < k < len(tokens) - 1:
        return False
    before, comma, after = tokens[k - 1 : k + 2]
    touching = before.stop == comma.start and comma.stop == after.start
    return touching and before.text.isdigit() and after.text[0].isdigit()
