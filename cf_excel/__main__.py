"""Run the command line: python -m cf_excel COMMAND."""

import sys

from cf_excel.cli import main

if __name__ == "__main__":
    sys.exit(main())
