"""The door: what a page of the studio may load and who may frame it, and how much a request may bring.

A content security policy (W3C, CSP Level 3) lets the browser load from the page's own server only, so that
markup that got in by some mistake could fetch nothing and tell nobody. Gradio's scripts are inline and make
templates into code, which needs 'unsafe-inline' and 'unsafe-eval'; exports are blob: and data: addresses.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
    )
)
"""A Hugging Face Space is shown in a frame of huggingface.co."""

LONGEST_LINK = 65_536
"""Characters; the longest that an experiment makes has some 34,000."""

LONGEST_HEAD = 4 * LONGEST_LINK
"""Bytes of a request's head that are taken in, so that a link that is too long can be told so."""

LARGEST_BODY = 16 * 2**20
"""Bytes: a file of 8 MB, or the largest net as base64 in JSON."""

_HEADERS = ((b"content-security-policy", POLICY.encode()), (b"x-content-type-options", b"nosniff"))


class Door:
    """Turns away what is too large to be read, and puts the policy on every answer of what stands behind."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        refused = _refused(scope)
        if refused is None:
            return await self._app(scope, receive, marked)
        status, sentence = refused
        await PlainTextResponse(sentence, status)(scope, receive, marked)


def _refused(scope: Scope) -> tuple[int, str] | None:
    """The status and the sentence for a request that is not read; None for one that is."""
    length = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if length > LONGEST_LINK:
        return 414, (
            f"This link has {length:,} characters; at most {LONGEST_LINK:,} are read. "
            "Open the studio without it, and load the data from a file."
        )
    if scope["method"] not in ("POST", "PUT", "PATCH"):
        return None
    told = dict(scope["headers"]).get(b"content-length", b"")
    if not told.isdigit():
        return 411, "The request does not say how long it is; send a Content-Length."
    if int(told) > LARGEST_BODY:
        return 413, (
            f"The request brings {int(told):,} bytes; at most {LARGEST_BODY:,} are read. "
            "Send a smaller file or net."
        )
    return None
