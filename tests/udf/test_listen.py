"""Ports that are taken, and requests that do not come to an end."""

import asyncio
import socket
import threading
import time
from importlib.util import find_spec

import pytest
from support.hosts import missing

from cf_excel.cli import main


def test_a_port_in_use_is_said_in_one_line(tmp_path, capsys):
    if find_spec("xlwings_server") is None:
        missing("xlwings-server (the extra server)")
    command = ["serve", "--license", "noncommercial", "--folder", str(tmp_path / "project"), "--port"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert main([*command, port]) == 2
    said = f"cf_excel serve: --port {port}: another program listens there already: stop it, or pass another --port\n"
    assert capsys.readouterr().err == said
    assert main([*command, port, "--host", "192.0.2.1"]) == 2  # an address for examples, of no machine
    said = capsys.readouterr().err
    assert said.startswith("cf_excel serve: --host 192.0.2.1: can't listen there (")
    assert said.count("\n") == 1
    assert not (tmp_path / "project").exists()


@pytest.fixture
def impatient(monkeypatch):
    """A server that waits a moment for the rest of a request, and answers with the length of the body."""
    if find_spec("uvicorn") is None:
        missing("uvicorn (the extra server)")
    import uvicorn

    from cf_excel.udf.server import listen

    async def app(scope, receive, send):
        n_bytes, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            n_bytes, more = n_bytes + len(message["body"]), message["more_body"]
        if n_bytes:
            await asyncio.sleep(3 * listen.READ_SECONDS)  # to work long is no silence
        headers = [(b"content-length", b"%d" % len(str(n_bytes)))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": str(n_bytes).encode()})

    servers = []

    class Server(uvicorn.Server):
        def __init__(self, config):
            config.lifespan = "off"
            super().__init__(config)
            servers.append(self)

    monkeypatch.setattr(listen, "READ_SECONDS", 0.2)
    monkeypatch.setattr(uvicorn, "Server", Server)
    with listen.listening("127.0.0.1", 0) as sockets:
        address = sockets[0].getsockname()
        thread = threading.Thread(target=listen.serve, args=(app, sockets))
        thread.start()
        while not servers:
            time.sleep(0.01)
        yield address, servers[0]
        servers[0].should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def replies(address, sent):
    """Return all that a server sends for what it gets, until it hangs up."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(sent)
        received = b""
        while more := connection.recv(1000):
            received += more
    return received


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST / HTTP/1.1\r\nHo",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",
    ],
)
def test_requests_that_do_not_end_are_hung_up_on(impatient, begun):
    assert replies(impatient[0], begun).count(b"HTTP/1.1 200 ") == begun.count(b"GET / HTTP/1.1")


def test_a_server_that_stops_waits_for_no_request(impatient, monkeypatch):
    monkeypatch.setattr("cf_excel.udf.server.listen.READ_SECONDS", 1000)
    address, server = impatient
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        while not server.server_state.tasks:  # it waits for the rest
            time.sleep(0.01)
        server.should_exit = True
        assert connection.recv(1000) == b""


def test_an_answer_may_take_longer_than_a_silence(impatient):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    reply = replies(impatient[0], head + b"12345")
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert reply.endswith(b"\r\n\r\n5")
