"""Who may ask the lab for anything, and how much they may send.

The lab runs code on this machine for whoever can reach it, so that three things are asked of every request, the
stream of a run too. Its ``Host`` must be one of ours: a foreign page whose name was made to point at this machine
("DNS rebinding") still sends its own name. Its path must begin with the secret token. And what a page from
elsewhere makes a browser send carries that page's ``Origin``. Answers forbid the browser to load anything from
anywhere else.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from torchlinear.lab.sentences import Said, both

__all__ = [
    "HEADERS",
    "Guard",
    "Refused",
    "answer",
    "is_loopback",
    "json_of",
    "new_token",
    "pieces",
]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@]+)(:\d{1,5})?")
JSON_LIMIT = 1_000_000  # bytes; 2,000 points are 80 kB


class Refused(Exception):
    """A request that is answered with a status and one sentence, by the key of its template."""

    def __init__(self, status: int, key: str, **values: str) -> None:
        self.status, self.sentence = status, Said(key, **values)
        super().__init__(str(self.sentence))


def answer(status: int, sentence: Said) -> Response:
    """What the page is told when it does not get what it asked for."""
    return JSONResponse({"error": both(sentence)}, status)


def new_token() -> str:
    """256 random bits, fit for an address."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`, an address or a name."""
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(
        ipaddress.ip_address(str(address[0]).split("%")[0]).is_loopback for *_, address in found
    )


class Guard:
    """Lets requests through to `app` that come from the person who started it; the token leaves the path here.

    Parameters
    ----------
    app : ASGI application
        What answers them.
    token : str
        What every path begins with.
    host : str
        Where the server listens. Elsewhere than on loopback any address will do, and this machine's names; never
        another name, for that is how a foreign page would reach it.
    """

    def __init__(self, app: ASGIApp, token: str, host: str = "127.0.0.1") -> None:
        self.app, self.token = app, token
        self.open = not is_loopback(host)
        own = (socket.gethostname(), socket.getfqdn()) if self.open else ()
        self.names = {name.lower() for name in (*LOOPBACK, host, f"[{host}]", *own)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            refusal = self.refusal(Headers(scope=scope), scope["path"])
            app = self.app if refusal is None else refusal
            await app(_without_token(scope), receive, _with_headers(send))

    def refusal(self, headers: Headers, path: str) -> Response | None:
        """Why this request gets nothing; None when it does."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._ours(hosts[0]):
            return answer(400, Said("foreign_host"))
        token = path.removeprefix("/").partition("/")[0]
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            return answer(403, Said("no_token"))
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return answer(403, Said("foreign_page"))
        return None

    def _ours(self, host: str) -> bool:
        match = HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower()
        return name in self.names or (self.open and _is_address(name.strip("[]")))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _without_token(scope: Scope) -> Scope:
    rest = scope["path"].removeprefix("/").partition("/")[2]
    return {**scope, "path": f"/{rest}", "root_path": ""}


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending


async def pieces(request: Request, limit: int, remedy: Said) -> AsyncIterator[bytes]:
    """The body of a request as it comes in; refused with 413 as soon as it is longer than `limit` bytes."""
    too_large = Refused(413, "too_large", limit=f"{limit:,}", remedy=remedy)
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    total = 0
    async for piece in request.stream():
        total += len(piece)
        if total > limit:
            raise too_large
        yield piece


async def json_of(request: Request) -> dict[str, Any]:
    """The JSON object that a request sends."""
    body = b"".join([piece async for piece in pieces(request, JSON_LIMIT, Said("send_less"))])
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "no_object")
    return found
