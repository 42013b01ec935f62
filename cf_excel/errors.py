"""The errors that cf_excel raises on purpose.

    CfExcelError            anything below; the command line prints it as one line and exits with code 2
    ├── InputError          a value or a table that was given is wrong (also a ValueError)
    │   ├── UnknownIdError  a user or movie that the data or the model does not have (also a KeyError)
    │   └── LayoutError     a sheet looks like one of the lesson's, but its formulas can't be followed
    ├── FileError           a file can't be read, written or trusted (also an OSError)
    │   └── OpenInExcelError  a workbook can't be replaced, because Excel has it open
    └── WorkerError         one of the processes that share a fit is gone

Every message is a single line, because it may land in a cell: what was given, what was expected, what to do.
"""

_LONGEST = 1000  # characters of a message; what is quoted in it may be megabytes of a file


class CfExcelError(Exception):
    """Base of every error that cf_excel raises on purpose."""

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:  # what is wrong stands in front, what to do at the end
            message = f"{message[: _LONGEST * 2 // 3]}…{message[-_LONGEST // 3 :]}"
        super().__init__(" ".join(message.split()))

    def __str__(self) -> str:
        return str(self.args[0])


class InputError(CfExcelError, ValueError):
    """A value or a table that was given is wrong."""


class UnknownIdError(InputError, KeyError):
    """A user or movie that the data or the model does not have."""


class LayoutError(InputError):
    """A sheet looks like one of the lesson's, but its formulas can't be followed."""


class FileError(CfExcelError, OSError):
    """A file can't be read, written or trusted."""


class OpenInExcelError(FileError):
    """A workbook can't be replaced, because Excel has it open."""


class WorkerError(CfExcelError):
    """One of the processes that share a fit is gone, and the fit with it."""


def wrong_type(value: object, expected: str) -> InputError:
    """Return the error for a value of another type than the one expected, which is said with how to come by it."""
    name = type(value).__name__
    return InputError(f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}: expected {expected}")


def needs(package: str) -> str:
    """Return what to say where a package from outside is missing."""
    if package == "torch":  # older ones, which Macs with Intel would get, can't work with NumPy 2
        how = 'python -m pip install "torch>=2.6" (not to be had for Macs with Intel; kind bayes on the CPU needs none)'
    else:
        how = f"python -m pip install {package}"
    return f"this needs {package}, which is not installed: {how}"
