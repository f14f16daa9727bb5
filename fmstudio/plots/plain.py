"""Text that stays text: what a visitor typed, on its way into a page.

A link, a formula, a column's or a file's name, a class, a prompt may hold anything. Whatever of it is shown
goes through here first, and a browser draws its letters, whatever they spell.
"""

from __future__ import annotations

import re
from html import escape

_NOT_WORDS = re.compile(r"[!-/:-@\[-`{-~]")
_QUIET = frozenset(",;'\"()%")


def in_html(text: str) -> str:
    """Text as HTML between tags, in an SVG's, a toast's or a Plotly label.

    >>> in_html("<img src=x> & 1 < 2")
    '&lt;img src=x&gt; &amp; 1 &lt; 2'
    """
    return escape(text, quote=False)


def in_markdown(text: str) -> str:
    r"""Text as a part of a paragraph of Markdown: no tag, emphasis, link, address, heading or formula.

    Every sign that Markdown or an address needs becomes a character reference, which is read as that sign
    only once the structure is known. Line breaks become spaces.

    >>> in_markdown("# a_b, www.x.org")
    '&#35; a&#95;b, www&#46;x&#46;org'
    """

    def spelt(found: re.Match[str]) -> str:
        sign = found[0]
        return sign if sign in _QUIET else f"&#{ord(sign)};"

    return _NOT_WORDS.sub(spelt, " ".join(text.split()))
