"""Downloads, from a server of our own on this machine, with every fault that a server can have."""

import errno
import hashlib
import io
import socket
import threading
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cf_excel.cli import main
from cf_excel.cli.options import read_ratings
from cf_excel.errors import FileError, InputError
from cf_excel.ratings import download as module
from cf_excel.ratings.download import cache_folder, download
from cf_excel.ratings.readers import load_ratings


def zip_bytes(text: str = "userId,movieId,rating\n1,2,3\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ml-latest-small/ratings.csv", text)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Sends the same answer to every request and counts them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.headers, self.body, self.n_requests = 200, {}, zip_bytes(), 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.n_requests += 1
        self.send_response(server.status)
        for name, value in ({"Content-Length": str(len(server.body))} | server.headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_data_set_is_fetched_once_and_read(server, tmp_path, capsys):
    path = download("ml-latest-small", base_url=server.url, cache=tmp_path / "new")
    assert path == tmp_path / "new" / "ml-latest-small.zip"
    assert path.read_bytes() == server.body
    shown = capsys.readouterr()
    assert "cite Harper & Konstan 2015" in shown.err
    assert shown.out == ""
    assert download("ml-latest-small", base_url=server.url, cache=tmp_path / "new") == path
    assert server.n_requests == 1
    assert capsys.readouterr().err == ""
    assert load_ratings(path).rating.tolist() == [3]


def test_who_waits_hears_how_much_has_come(server, tmp_path):
    heard = []
    download("ml-latest", base_url=server.url, cache=tmp_path, tell=lambda *share: heard.append(share))
    assert heard[-1] == (len(server.body), len(server.body))


def test_no_declared_length_is_no_fault(server, tmp_path):
    server.headers = {"Content-Length": None}
    assert download("ml-latest", base_url=server.url, cache=tmp_path).read_bytes() == server.body


def test_a_right_checksum_is_accepted(server, tmp_path, monkeypatch):
    monkeypatch.setitem(module.MD5, "ml-1m", hashlib.md5(server.body).hexdigest())
    assert download("ml-1m", base_url=server.url, cache=tmp_path).is_file()


def test_the_command_line_reads_what_it_fetched(server, tmp_path, monkeypatch):
    read = []
    monkeypatch.setenv("CF_EXCEL_DOWNLOAD_URL", server.url)
    monkeypatch.setenv("CF_EXCEL_CACHE", str(tmp_path))
    monkeypatch.setattr("cf_excel.cli.build.run", lambda args: read.append(read_ratings(args)))
    assert main(["build", "--download", "ml-latest-small"]) == 0
    assert len(read[0]) == 1


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("ml-25m", {}, "expected 6b51fb2759a8657d3bfcbfc42b592ada: not kept"),
        ("ml-latest", {"status": 404, "body": b"none"}, "/ml-latest.zip: the server answers 404 Not Found"),
        ("ml-latest", {"status": 500}, "the server answers 500 Internal Server Error"),
        ("ml-latest", {"headers": {"Content-Length": "9999"}}, "of 9,999 bytes: try again"),
        (
            "ml-latest",
            {"headers": {"Content-Length": "99999999999"}},
            "is 99,999,999,999 bytes or more, over the limit",
        ),
        ("ml-latest", {"body": b"x" * 5000, "headers": {"Content-Length": None}}, "over the limit of 3,000"),
        ("ml-latest", {"body": b"<html>log in</html>"}, "sent no zip (a login page of the network?): not kept"),
        ("ml-latest", {"body": b""}, "sent no zip"),
        ("ml-latest", {"status": 302, "headers": {"Location": "file:///etc/hostname"}}, "the server answers 302"),
        (
            "ml-latest",
            {"status": 302, "headers": {"Location": "ftp://127.0.0.1/x"}},
            "expected http or https, not read",
        ),
        ("ml-latest", {"status": 302, "headers": {"Location": "/again"}}, "the server answers 302"),
        ("ml-latest", {"headers": {"Transfer-Encoding": "chunked", "Content-Length": None}}, "can't be fetched ("),
    ],
)
def test_a_fault_is_one_line_and_leaves_nothing(server, tmp_path, monkeypatch, name, answer, message):
    monkeypatch.setattr(module, "MAX_BYTES", 3000 if "body" in answer else module.MAX_BYTES)
    for attribute, value in answer.items():
        setattr(server, attribute, value)
    with pytest.raises(FileError) as error:
        download(name, base_url=server.url, cache=tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_no_server(tmp_path):
    with pytest.raises(FileError, match=r"can't be fetched \(.*refused\): check the network"):
        download("ml-latest", base_url="http://127.0.0.1:9", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(FileError, match=r"no answer in 0.05 seconds"):
        download("ml-latest", base_url=f"http://127.0.0.1:{silent.getsockname()[1]}", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(server, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cf_excel.files.os.replace", refuse)
    with pytest.raises(FileError, match=r"can't write .*ml-latest.zip: No space left on device"):
        download("ml-latest", base_url=server.url, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_is_a_file(server, tmp_path):
    (tmp_path / "cache").write_text("mine")
    with pytest.raises(FileError, match="set CF_EXCEL_CACHE to another folder"):
        download("ml-latest", base_url=server.url, cache=tmp_path / "cache")
    assert (tmp_path / "cache").read_text() == "mine"


@pytest.mark.parametrize("url", ["file:///etc", "ftp://127.0.0.1", "/etc"])
def test_only_the_web_is_read(tmp_path, url):
    with pytest.raises(FileError, match="expected http or https, not read"):
        download("ml-latest", base_url=url, cache=tmp_path)


def test_https_never_leads_to_http():
    with pytest.raises(FileError, match="expected https, not read"):
        module._refuse_other_scheme("http://example.org", after="https://example.org")


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"--download ml-99m: expected one of ml-latest-small, .*ml-32m"):
        download("ml-99m", cache=tmp_path)


def test_the_cache_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CF_EXCEL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("CF_EXCEL_CACHE")
    assert cache_folder().name == "cf_excel"
