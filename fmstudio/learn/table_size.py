"""How large a table from outside may be, judged by its bytes, before it is taken apart into cells."""

from __future__ import annotations

MOST_COLUMNS = 1_000
_DELIMITERS = (b",", b";", b"\t", b"|")


def check_columns(data: bytes) -> None:
    """Refuse text with more columns than anybody looks through; every cell would be held and looked at.

    Args:
        data: the bytes of a file, in any encoding that holds ASCII as it is.

    Raises:
        ValueError: a line with too many of a delimiter; its number is named, from 1.
    """
    for number, line in enumerate(data.splitlines(), 1):
        # Spaces divide only where nothing else does; a cell of text may have many.
        found = 1 + (max(line.count(sign) for sign in _DELIMITERS) or line.count(b" "))
        if found > MOST_COLUMNS:
            raise ValueError(
                f"Line {number} has up to {found:,} columns; at most {MOST_COLUMNS:,} are read. "
                "Keep the columns that matter."
            )
