"""Whatever a visitor types is text: other readers of Markdown and HTML find no structure in it."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fmstudio.plots.plain import in_html, in_markdown

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NASTY = st.text(st.sampled_from("<>&\"'`*_[]()!#-+=|\\~:/@.$ \nabw1"), min_size=1, max_size=60)


class Tags(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(NASTY)
@example("<img src=//e.x>")
@example("&lt;img src=//e.x&gt;")
def test_html_is_read_back_as_the_text(text: str) -> None:
    read = Tags(in_html(text))
    assert read.tags == []
    assert read.text == text


@given(NASTY)
@example("![a](//e.x)")
@example("<https://e.x>")
@example("1. one")
@example("---")
@example("a | b\n--|--\n1 | 2")
def test_markdown_is_read_back_as_the_text(text: str) -> None:
    read = Tags(MARKDOWN.render(f"Read: {in_markdown(text)}"))
    assert read.tags == ["p"]
    assert read.text.split() == ["Read:", *text.split()]


@pytest.mark.parametrize("address", ["https://e.x/y", "www.e.x", "ftp://e.x", "me@e.x", "$$x$$"])
def test_an_address_or_a_formula_is_no_longer_one_for_whoever_reads_the_source(address: str) -> None:
    written = in_markdown(address)
    assert not {".", "@", ":", "$"} & set(written)
    assert unescape(written) == address
