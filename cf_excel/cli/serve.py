"""python -m cf_excel serve."""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note, say
from cf_excel.cli.options import add_command, whole

if TYPE_CHECKING:
    from socket import socket


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "serve",
        "Serve the functions to Excel on Mac and on the web, through xlwings-server.",
        "python -m cf_excel serve --license noncommercial",
    )
    parser.add_argument("--license", metavar="KEY", help="your licence of xlwings: noncommercial, or a key you bought")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where certificate and settings are kept")
    parser.add_argument("--host", default="127.0.0.1", metavar="IP", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=whole, default=8000, metavar="N", help="port to listen on (default: 8000)")
    parser.add_argument(
        "--name", action="append", default=[], metavar="HOST", help="another name by which Excel may ask (repeatable)"
    )
    parser.add_argument("--http", action="store_true", help="without https, behind a proxy that has it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Name the licence, listen, and serve until Ctrl-C."""
    from cf_excel.errors import InputError
    from cf_excel.udf.server.project import LICENSE_NOTE

    say(LICENSE_NOTE)
    key = args.license or os.environ.get("XLWINGS_LICENSE_KEY", "")
    if not key:
        raise InputError("name your licence: --license noncommercial where that is what you do, or the key you bought")
    if not 1 <= args.port <= 65535:
        raise InputError(f"--port {args.port}: expected 1 to 65535")
    folder = (args.folder or _default_folder()).absolute()
    if find_spec("xlwings_server") is None:
        raise InputError("xlwings-server is not installed: python -m pip install xlwings-server cryptography")
    from cf_excel.udf.server.listen import listening

    with listening(args.host, args.port) as sockets:
        _serve(args, folder, key, sockets)


def _serve(args: argparse.Namespace, folder: Path, key: str, sockets: "list[socket]") -> None:
    """Prepare the folder, load xlwings-server and serve."""
    from cf_excel.udf.server.project import prepare

    changed = prepare(folder)
    if changed:
        note(changed)
    # xlwings-server reads these where it is imported
    os.environ["XLWINGS_LICENSE_KEY"] = key
    os.environ["XLWINGS_PROJECT_DIR"] = str(folder)
    os.environ["XLWINGS_ON_SERVER"] = "true"
    sys.path.insert(0, str(folder))
    from xlwings_server.main import main_app

    from cf_excel.udf.server.guard import Guard
    from cf_excel.udf.server.listen import serve

    app = Guard(main_app, [f"{name}:{args.port}" for name in ("localhost", args.host, *args.name)] + args.name)
    scheme = "http" if args.http else "https"
    say(f"manifest: {scheme}://localhost:{args.port}/manifest (docs/excel-mac-web.md says where Excel wants it)")
    if not args.http:
        say(f"trust this certificate once: {folder / 'localhost.crt'}")
    say("stop with Ctrl-C")
    serve(app, sockets, None if args.http else (folder / "localhost.crt", folder / "localhost.key"))


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("cf_excel", appauthor=False) / "server"
