"""What the door lets in, turns away in a sentence, and says of the page to the browser."""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from fmstudio.ui.door import LARGEST_BODY, LONGEST_HEAD, LONGEST_LINK


def test_every_answer_carries_the_policy(studio_url: str) -> None:
    for path in ("/", "/config", "/no-such-page"):
        policy = httpx.get(studio_url + path).headers["content-security-policy"].split("; ")
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in policy
        assert not any("*" in each for each in policy if not each.startswith("frame-ancestors"))


def ask(url: str, method: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and text of the answer to a request's head; its body is never sent."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.putrequest(method, path)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.parametrize("length", [LONGEST_LINK, LONGEST_HEAD - 1_000])
def test_a_link_that_is_too_long_is_told_so(studio_url: str, length: int) -> None:
    status, said = ask(studio_url, "GET", "/?points=2P" + "A" * length)
    assert status == 414
    assert "at most 65,536 are read" in said
    assert "\n" not in said


def test_a_longer_head_is_not_taken_in(studio_url: str) -> None:
    with suppress(ConnectionError):  # The server may hang up while this one still sends.
        assert ask(studio_url, "GET", "/?points=2P" + "A" * 2 * LONGEST_HEAD)[0] == 400
    assert ask(studio_url, "GET", "/?points=2P" + "A" * 60_000)[0] == 200


def test_a_request_that_brings_too_much_is_turned_away_before_it_is_read(studio_url: str) -> None:
    path = "/gradio_api/call/sample"
    status, said = ask(studio_url, "POST", path, Content_Length=str(LARGEST_BODY + 1))
    assert (status, "bytes; at most" in said) == (413, True)
    status, said = ask(studio_url, "POST", path, Transfer_Encoding="chunked")
    assert (status, "Content-Length" in said) == (411, True)


@pytest.mark.browser
@pytest.mark.slow
def test_a_link_with_markup_loads_nothing_and_the_page_works_behind_its_policy(
    studio_url: str, browser: Any
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.add_init_script(
        "window.blocked = [];addEventListener('securitypolicyviolation', (e) => blocked.push(e.blockedURI))"
    )
    markup = "<img src=//e.x/a.png>"
    page.goto(f"{studio_url}?{urlencode({'seed': markup})}")
    page.get_by_test_id("toast-text").get_by_text(markup).wait_for()
    assert page.locator("img[src*='e.x']").count() == 0
    page.wait_for_function("document.querySelector('#paths-player .fm-player')?.__player?.frame >= 1")
    for name in ("Picture", "Offline player"):
        page.locator("#paths-player").get_by_role("button", name="Export").click()
        with page.expect_download():
            page.locator("#paths-player").get_by_role("menuitem", name=name).click()
    page.get_by_role("tab", name="Train").click()
    page.locator("#loss-plot .main-svg").first.wait_for()
    with page.expect_download():
        page.locator("#train-save").click()
    assert page.evaluate("blocked") == []
    assert [url for url in asked if not url.startswith((studio_url, "data:", "blob:"))] == []
    assert wrong == []
    page.close()
