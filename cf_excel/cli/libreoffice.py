"""python -m cf_excel libreoffice: the functions in LibreOffice Calc."""

import argparse
from pathlib import Path

from cf_excel.cli.messages import note, say
from cf_excel.cli.options import add_command


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "libreoffice",
        "Make =CF_PREDICT(15,260) and its family work in LibreOffice Calc.",
        "python -m cf_excel libreoffice install",
    )
    parser.add_argument("action", choices=("install", "uninstall"), help="put the functions in, or take them out")
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="folder `user` of LibreOffice's profile (default: yours)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Install or uninstall."""
    from cf_excel.errors import FileError
    from cf_excel.udf.libreoffice_setup import default_profile, install, lacks_python, uninstall

    if args.profile is not None and not args.profile.is_dir():
        raise FileError(f"--profile {args.profile}: there is no such folder; expected LibreOffice's folder `user`")
    profile = args.profile or default_profile()
    if args.action == "uninstall":
        uninstall(profile)
        say(f"the functions are gone from {profile}; restart LibreOffice")
        return
    install(profile)
    say(f"the functions are in {profile}")
    say("restart LibreOffice, then type =CF_MODEL() into a cell")
    if lack := lacks_python():
        note(lack)
