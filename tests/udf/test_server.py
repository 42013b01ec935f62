"""The real xlwings-server over HTTP, with what Office.js sends, and the guard in front of it."""

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from importlib.metadata import version
from importlib.util import find_spec
from xml.etree import ElementTree

import pytest
from support.function_calls import GRID
from support.hosts import missing

from cf_excel.cli import main
from cf_excel.model.file import save_factors
from cf_excel.udf.descriptions import ARGUMENTS, help_of, signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.server.guard import Guard

ERROR = {"type": "Error", "errorType": "NotAvailable", "basicValue": "#N/A", "basicType": "Error"}
OFFICE = "{http://schemas.microsoft.com/office/appforoffice/1.1}"
# function, what Office.js sends (every argument a matrix; an empty cell is 0 or null), the same as plain arguments
CALLS = [
    ("CF_PREDICT", [[[15]], [[2571]]], (15, 2571)),
    ("CF_PREDICT", [[["15"]], [["the matrix"]]], ("15", "the matrix")),
    ("CF_PREDICT", [[[0]], [[1]]], (None, 1)),
    ("CF_PREDICT", [[[None]], [[1]]], (None, 1)),
    ("CF_PREDICT", [[[99]], [[1]]], (99, 1)),
    (
        "CF_PREDICT",
        [[[15], [0], ["3"], [""]], [[1, "Up 🎈", None, 99]]],
        ([[15], [None], ["3"], [None]], [[1, "Up 🎈", None, 99]]),
    ),
    ("CF_PREDICT", [[[15, 3]], [[1, 10]]], ([[15, 3]], [[1, 10]])),
    ("CF_UNCERTAINTY", [[[15]], [[1]]], (15, 1)),
    ("CF_USER_FACTORS", [[[15], [0], [99]]], ([[15], [None], [99]],)),
    ("CF_MOVIE_FACTORS", [[[1, "hamlet (1996)"]]], ([[1, "hamlet (1996)"]],)),
    ("CF_USER_BIAS", [[[15]]], (15,)),
    ("CF_MOVIE_BIAS", [[[1], [0]]], ([[1], [None]],)),
    ("CF_TITLE", [[[1], [4973]]], ([[1], [4973]],)),
    ("CF_RECOMMEND", [[[42]], [[3]]], (42, 3)),
    ("CF_RECOMMEND", [[[42]], None], (42,)),
    ("CF_SIMILAR", [[[1]], [[2]], [[0]]], (1, 2, 0)),
    ("CF_SIMILAR", [[[1]], None, None], (1,)),
    (
        "CF_RATE",
        [[[1], ["The Matrix"], [0]], [[5], [3], [0]], None],
        ([[1], ["The Matrix"], [None]], [[5], [3], [None]]),
    ),
    ("CF_FIND", [[["hamlet"]], [[3]]], ("hamlet", 3)),
    ("CF_RMSE", [[[1, 0, 3]], [[2, 2, 0]]], ([[1, None, 3]], [[2, 2, 0]])),
    ("CF_MODEL", [], ()),
    ("CF_FILL", [GRID], (GRID,)),
    ("CF_FILL", [[[cell or 0 for cell in row] for row in GRID]], (GRID,)),
    ("CF_FILL", [[[5, 0, 3, None], [4, 4, 0, 1], [0, 5, 3, 2]]], ([[5, 0, 3, None], [4, 4, 0, 1], [0, 5, 3, 2]],)),
    ("CF_FILL", [[[5, 0, 3, -1], [4, 4, 0, 1], [0, 5, 3, 2]]], ([[5, 0, 3, -1], [4, 4, 0, 1], [0, 5, 3, 2]],)),
    ("CF_TOP", [GRID, [[2]]], (GRID, 2)),
    ("CF_TOP", [GRID, None], (GRID,)),
    ("CF_FIT", [GRID], (GRID,)),
]


@pytest.fixture(scope="module")
def sheet(tmp_path_factory, tiny_factors):
    path = tmp_path_factory.mktemp("server") / "model.safetensors"
    save_factors(tiny_factors(), path)
    return Functions(path)


def start(folder, model, *options):
    """Start the command on a free port; return the process, the port and what it printed."""
    if find_spec("xlwings_server") is None:  # importing it would change how xlwings loads in this process
        missing("xlwings-server (the extra server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cf_excel", "serve", "--license", "noncommercial", "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"CF_EXCEL_MODEL": str(model)},
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port, lines
        time.sleep(0.05)
    missing("a server that answers")


def stop(process):
    process.send_signal(signal.SIGINT)
    process.wait(20)
    process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, sheet):
    process, port, lines = start(tmp_path_factory.mktemp("project"), sheet.path, "--http")
    assert "PolyForm Noncommercial" in lines[0]
    yield f"http://localhost:{port}"
    stop(process)


def ask(url, body=None, context=None, **headers):
    """Return status and text of a request."""
    data = None if body is None else json.dumps(body).encode() if not isinstance(body, bytes) else body
    headers = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60, context=context) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def call(server, name, arguments, **headers):
    body = {
        "func_name": name,
        "args": arguments,
        "caller_address": "Book1[Sheet1]A1",
        "culture_info_name": "en-US",
        "date_format": "m/d/yyyy",
        "version": "any",
        "client": "Office.js",
        "runtime": "1.4",
    }
    return ask(f"{server}/xlwings/custom-functions-call", body, **headers)


def shown(sheet, name, arguments):
    result = json.loads(json.dumps(getattr(sheet, name)(*arguments)))
    return result if isinstance(result, list) else [[result]]


def test_every_function_and_a_replaced_model(server, sheet, tiny_factors):
    assert {name for name, _, _ in CALLS} == set(signatures())
    for seed in (0, 1, 0):
        save_factors(tiny_factors(seed=seed), sheet.path)
        for name, sent, arguments in CALLS:
            status, text = call(server, name, sent)
            assert (status, json.loads(text)["result"]) == (200, shown(sheet, name, arguments)), name


def test_errors_come_back_as_error_values(server):
    status, text = call(server, "CF_PREDICT", [[[15], [ERROR]], [[1]]])
    assert status == 200
    assert json.loads(text)["result"][1] == [{"type": "Error", "errorType": "NotAvailable"}]
    assert "user 99 is not in the model" in call(server, "CF_PREDICT", [[[99]], [[1]]])[1]


def test_a_missing_model_is_told_in_the_cell(server, sheet, tiny_factors):
    sheet.path.unlink()
    status, text = call(server, "CF_PREDICT", [[[15]], [[1]]])
    assert (status, "there is no model at" in text) == (200, True)
    save_factors(tiny_factors(), sheet.path)


def test_metadata_describe_every_function(server):
    status, text = ask(f"{server}/xlwings/custom-functions-meta")
    assert status == 200
    functions = {entry["name"]: entry for entry in json.loads(text)["functions"]}
    assert set(functions) == set(signatures())
    for name, signature in signatures().items():
        entry = functions[name]
        assert entry["description"] == help_of(name)
        assert re.fullmatch(r"[A-Z][A-Z_]+", entry["id"])
        assert entry["result"]["dimensionality"] == "matrix"
        for parameter, argument in zip(entry["parameters"], signature.parameters.values(), strict=True):
            assert parameter["name"] == argument.name
            assert parameter["description"] == ARGUMENTS[argument.name]
            assert parameter.get("optional", False) == (argument.default is not argument.empty)
    code = ask(f"{server}/xlwings/custom-functions-code")[1]
    assert all(f'CustomFunctions.associate("{name}", {name})' in code for name in signatures())


def test_the_manifest_names_this_server_and_no_namespace(server):
    status, text = ask(f"{server}/manifest")
    assert status == 200
    root = ElementTree.fromstring(text)
    assert root.tag == f"{OFFICE}OfficeApp"
    uuid.UUID(root.find(f"{OFFICE}Id").text)
    assert root.find(f"{OFFICE}DisplayName").get("DefaultValue") == "cf_excel"
    source = root.find(f"{OFFICE}DefaultSettings/{OFFICE}SourceLocation").get("DefaultValue")
    assert source == f"{server}/taskpane.html"
    assert "Functions.Namespace" not in [element.get("resid") for element in root.iter()]
    resources = {
        e.get("id"): e.get("DefaultValue") for e in root.iter() if (e.get("id") or "").startswith("Functions.")
    }
    assert ask(resources["Functions.Metadata.Url"])[0] == ask(resources["Functions.Script.Url"])[0] == 200
    assert ask(source)[0] == 200


def run_script(server, name):
    """Run a script on a workbook whose names cf_users and cf_movies have two cells each; return status and actions."""
    names = [
        {"name": name, "sheet_index": 0, "address": address, "scope_sheet_name": None, "scope_sheet_index": None}
        | {"book_scope": True, "refers_to": f"=predict!{address}"}
        for name, address in (("cf_users", "A2:A3"), ("cf_movies", "B1:C1"))
    ]
    sheet = {"name": "predict", "values": [["", 1, 10], [15, "", ""], [3, "", ""]], "pictures": [], "tables": []}
    book = {"name": "book.xlsx", "active_sheet_index": 0, "selection": "A1"}
    body = {"client": "Office.js", "version": version("xlwings"), "book": book, "names": names, "sheets": [sheet]}
    status, text = ask(f"{server}/xlwings/custom-scripts-call/{name}", body)
    return status, json.loads(text)["actions"] if status == 200 else text


def written(actions):
    """Return the rows that the actions write, by the index of their sheet."""
    rows = {}
    for action in actions:
        if action["func"] == "setValues":
            rows.setdefault(action["sheet_position"], []).extend(action["values"])
    return rows


def test_the_task_panes_buttons_write_what_the_macros_write(server, sheet):
    status, actions = run_script(server, "write_predictions")
    assert status == 200
    assert "predictions" in str([action["args"] for action in actions if action["func"] == "addSheet"])
    grid = sheet.CF_PREDICT([[15], [3]], [[1, 10]])
    assert written(actions) == {1: [["'userId", 1, 10], [15, *grid[0]], [3, *grid[1]]]}
    status, actions = run_script(server, "write_factors")
    users, movies = written(actions)[1], written(actions)[2]
    assert [row[0] for row in users[1:]] == [1, 7, 3, 42, 15]
    assert movies[1][1] == "'Toy Story (1995)"  # the apostrophe is typed, so that no text becomes a number
    assert users[5][2:] == sheet.CF_USER_FACTORS(15)[0]
    page = ask(f"{server}/taskpane.html")[1]
    assert re.findall(r'xw-click="(\w+)"', page) == ["train_model", "write_factors", "write_predictions"]


def test_a_script_that_fails_says_why(server, sheet, tiny_factors):
    sheet.path.unlink()
    status, text = run_script(server, "write_factors")
    assert (status, "there is no model at" in text) == (400, True)
    save_factors(tiny_factors(), sheet.path)


def test_foreign_hosts_and_origins_are_refused(server):
    address = server.removeprefix("http://")
    port = address.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "localhost", f"localhost.evil.example:{port}"):
        assert call(server, "CF_MODEL", [], Host=host)[0] == 403
    for origin in ("https://evil.example", "null", "http://localhost", f"http://localhost:{port}.evil.example"):
        assert call(server, "CF_MODEL", [], Origin=origin)[0] == 403
    for origin in (server, server.replace("http", "https")):
        assert call(server, "CF_MODEL", [], Origin=origin)[0] == 200
    assert call(f"http://127.0.0.1:{port}", "CF_MODEL", [])[0] == 200


def test_a_body_of_a_hundred_megabytes_is_refused(server):
    port = int(server.rpartition(":")[2])
    head = (
        f"POST /xlwings/custom-functions-call HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    )
    chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    for rest, body in (("Content-Length: 100000000\r\n\r\n", b""), ("Transfer-Encoding: chunked\r\n\r\n", chunk)):
        with socket.create_connection(("localhost", port), timeout=30) as connection:
            connection.sendall((head + rest).encode())
            try:
                for _ in range(100 if body else 0):
                    connection.sendall(body)
            except OSError:
                pass  # it hung up
            try:
                reply = connection.recv(100)
            except OSError:
                reply = b""
        assert reply.startswith(b"HTTP/1.1 413 ") or (body and reply == b"")  # it may hang up before all is sent
    assert call(server, "CF_MODEL", [])[0] == 200


def test_https_with_the_certificate_of_the_folder(tmp_path, sheet):
    process, port, lines = start(tmp_path, sheet.path)
    try:
        context = ssl.create_default_context(cafile=tmp_path / "localhost.crt")
        url = f"https://localhost:{port}"
        assert ask(f"{url}/manifest", context=context)[0] == 200
        assert json.loads(call(url, "CF_TITLE", [[[1]]], context=context)[1])["result"] == [["Toy Story (1995)"]]
    finally:
        stop(process)
    assert any(str(tmp_path / "localhost.crt") in line for line in lines)
    assert (tmp_path / "localhost.key").stat().st_mode & 0o077 == 0


def test_without_a_licence_nothing_starts(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("XLWINGS_LICENSE_KEY", raising=False)
    assert main(["serve", "--folder", str(tmp_path / "project")]) == 2
    captured = capsys.readouterr()
    assert "PolyForm Noncommercial License 1.0.0" in captured.out
    assert "--license noncommercial" in captured.err
    assert not (tmp_path / "project").exists()
    assert main(["serve", "--license", "noncommercial", "--port", "0"]) == 2


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cf_excel.cli.serve.find_spec", lambda name: None)
    assert main(["serve", "--license", "noncommercial", "--folder", str(tmp_path)]) == 2
    assert "python -m pip install xlwings-server cryptography" in capsys.readouterr().err


def guarded(headers, body=(), kind="http"):
    """Return what a guarded application sends for a request, and the bodies that it received."""
    received, sent = [], []

    async def app(scope, receive, send):
        for _ in body:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            received.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": body[len(received)]}

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "headers": [(name.lower().encode(), value.encode()) for name, value in headers]}
    asyncio.run(Guard(app, ["localhost:1"], most_bytes=10)(scope, receive, send))
    return sent[0].get("status", sent[0]["type"]), received


def test_the_guard():
    host = ("Host", "LOCALHOST:1")
    assert guarded([host]) == (200, [])
    assert guarded([]) == guarded([host, host]) == guarded([("Host", "localhost:2")]) == (403, [])
    assert guarded([host, ("Origin", "https://localhost:1")]) == (200, [])
    assert guarded([host, ("Origin", "ftp://localhost:1")]) == (403, [])
    assert guarded([host, ("Content-Length", "10")])[0] == 200
    for length in ("11", "-1", "x"):
        assert guarded([host, ("Content-Length", length)])[0] == 413
    assert guarded([host], [b"12345", b"12345"]) == (200, [b"12345", b"12345"])
    assert guarded([host], [b"12345", b"123456"]) == (413, [b"12345"])
    assert guarded([("Host", "evil")], kind="websocket") == ("websocket.close", [])
    assert guarded([], kind="lifespan")[0] == 200
