"""Serve an application with uvicorn, on sockets that are ours, and hang up on requests that do not come to an end."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from cf_excel.errors import InputError

READ_SECONDS = 30
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # as ::1 for localhost, where there is no IPv6


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Give sockets that listen on every address of a host. Raises InputError where that can't be."""
    with ExitStack() as stack:
        try:
            sockets = _bound_sockets(host, port, stack)
        except (OSError, UnicodeError) as error:
            raise InputError(_why_not(host, port, error)) from None
        yield sockets


def serve(app: Callable, sockets: list[socket.socket], pair: tuple[Path, Path] | None = None) -> None:
    """Serve until Ctrl-C; with a pair of certificate and key by https."""
    certificate, key = pair or (None, None)
    config = uvicorn.Config(
        app,
        http=_Impatient,
        log_level="warning",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets)


class _Impatient(AutoHTTPProtocol):  # type: ignore[valid-type, misc]  # what is installed decides on the base
    """Close a connection on which nothing comes for READ_SECONDS, though a request is still to come or to end.

    A server that stops waits for no request either.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._timer = self.loop.call_later(READ_SECONDS, self._hang_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._timer.cancel()
        self._timer = self.loop.call_later(READ_SECONDS, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        if self._is_waiting and not self.transport.get_write_buffer_size():
            self.transport.abort()  # close() would wait for the other side to say goodbye, too, where it is https

    def _hang_up(self) -> None:
        if self._is_waiting:
            self.transport.close()

    @property
    def _is_waiting(self) -> bool:
        is_answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        return not is_answering and self.transport.get_protocol() is self  # else it is a WebSocket by now


def _bound_sockets(host: str, port: int, stack: ExitStack) -> list[socket.socket]:
    sockets, fault = [], None
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
        try:
            bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            if os.name == "posix":  # elsewhere it would share the port with another program
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind(address)
            bound.listen()
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            fault = error
        else:
            sockets.append(bound)
    if not sockets:
        raise fault or OSError(errno.EADDRNOTAVAIL, "it has no address")
    return sockets


def _why_not(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"--port {port}: another program listens there already: stop it, or pass another --port"
    if number == errno.EACCES:
        return f"--port {port}: only an administrator may listen there: pass another --port"
    reason = getattr(error, "strerror", None) or error
    return f"--host {host}: can't listen there ({reason}): expected an address of this machine, such as 127.0.0.1"
