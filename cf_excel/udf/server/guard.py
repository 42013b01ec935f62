"""Let only requests through that this machine's Excel makes, whatever application stands behind (an ASGI one)."""

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_BYTES = 50_000_000


class Guard:
    """Refuse foreign hosts and origins, and bodies that are too large.

    hosts: values of the header Host that are served, with the port, such as localhost:8000: another one is a page that
    had a name of its own point here (DNS rebinding). A request from a page of another origin is refused too, so that
    no website can ask the model. most_bytes: the largest body.
    """

    def __init__(self, app: Callable, hosts: list[str], most_bytes: int = MOST_BYTES) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}
        self.origins = {f"{scheme}://{host}" for host in self.hosts for scheme in ("http", "https")}
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        fault = self._fault(scope["headers"])
        if not fault:
            await self._limited(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _answer(send, *fault)

    def _fault(self, headers: list[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return 403, f"host {', '.join(hosts)!s:.80} is not served here"
        origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
        if not set(origins) <= self.origins:
            return 403, f"origin {', '.join(origins)!s:.80} is not served here"
        lengths = [value for name, value in headers if name == b"content-length"]
        if any(not length.isdigit() or int(length) > self.most_bytes for length in lengths):
            return 413, f"the request is too large: expected at most {self.most_bytes:,} bytes"
        return None

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, and answer it here where its body grows too large though its header did not say so."""
        received, answered, refused = 0, False, False

        async def counted() -> dict[str, Any]:
            nonlocal received, refused
            message = await receive()
            received += len(message.get("body") or b"")
            if received <= self.most_bytes:
                return message
            refused = True
            return {"type": "http.disconnect"}

        async def noted(message: dict[str, Any]) -> None:
            nonlocal answered
            if not refused:
                answered = True
                await send(message)

        try:
            await self.app(scope, counted, noted)
        except Exception:
            if not refused:
                raise
        if refused and not answered:
            await _answer(send, 413, f"the request is too large: expected at most {self.most_bytes:,} bytes")


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
