"""What the buttons of the task pane do: the workbook's macros, for xlwings-server's package custom_scripts."""

import asyncio
import sys
from collections.abc import Callable

from xlwings import Book, XlwingsError, server

from cf_excel.errors import CfExcelError
from cf_excel.model.predictor import Predictor, load_predictor
from cf_excel.udf import macros


@server.script
def write_factors(book: Book) -> None:
    """Write the sheets user_factors and movie_factors."""
    _write(macros.write_factors, book)


@server.script
def write_predictions(book: Book) -> None:
    """Write the sheet predictions."""
    _write(macros.write_predictions, book)


@server.script
async def train_model(book: Book) -> None:
    """Train the lesson's learner; the functions show the new model when Excel calculates again."""
    command = [sys.executable, "-m", "cf_excel", "train"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    _, errors = await process.communicate()
    if process.returncode:
        raise XlwingsError(errors.decode(errors="replace").strip().splitlines()[-1])


def _write(action: Callable[[Book, Predictor], None], book: Book) -> None:
    try:
        action(book, load_predictor())
    except CfExcelError as error:  # xlwings-server shows its own errors alone
        raise XlwingsError(str(error)) from None
