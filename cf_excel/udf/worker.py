"""Answer calls of the functions over a pipe, for hosts whose own Python lacks numpy: python -m cf_excel.udf.worker.

One JSON line a call, {"function": "CF_PREDICT", "arguments": [15, 260]}, and one a reply, {"result": 4.1} or
{"error": "..."}. Ends with its input.
"""

import json
import sys
from io import TextIOWrapper
from typing import TextIO

from cf_excel.udf.descriptions import signatures
from cf_excel.udf.functions import Functions


def answer(functions: Functions, line: str) -> str:
    """Return the reply to one line."""
    try:
        request = json.loads(line)
        name, arguments = request["function"], request["arguments"]
        if name not in signatures():
            return json.dumps({"error": f"there is no function {name!s:.40}"})
        return json.dumps({"result": getattr(functions, name)(*arguments)})
    except Exception as error:  # whatever happens, the host gets a reply and the next call is answered
        return json.dumps({"error": f"{type(error).__name__}: {error}"})


def serve(source: TextIO, target: TextIO) -> None:
    """Answer line by line until the source ends."""
    functions = Functions()
    for line in source:
        print(answer(functions, line), file=target, flush=True)


if __name__ == "__main__":
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    serve(sys.stdin, sys.stdout)
