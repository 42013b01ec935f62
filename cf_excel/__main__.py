"""Run the command line: python -m cf_excel COMMAND."""

import sys


def run() -> int:
    """Run the command line; Ctrl-C while it still loads ends it in one line, too."""
    try:
        from cf_excel.cli import main

        return main()
    except KeyboardInterrupt:
        print("cf_excel: stopped, nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
