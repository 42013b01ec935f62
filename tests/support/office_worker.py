"""Drive a headless LibreOffice: runs in the Python that has its bridge (uno), speaks JSON lines with office.py.

With --visible it has windows, on the display that the environment names.

Requests: {"script": path of a Python file, "function": its function, "args": [...]}; the function runs in LibreOffice's
process (office_inside.py) and gets the desktop, the component context and the arguments. Answers: {"result": ...} or
{"error": traceback}.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

import uno
from com.sun.star.beans import NamedValue


def start(profile, visible):
    """Start LibreOffice with a profile of its own and return (process, component context)."""
    name = f"cf_excel_{os.getpid()}"
    flags = ["--norestore", "--nologo", "--nodefault", "--nolockcheck"]
    if not visible:
        flags += ["--headless", "--invisible"]
    address = f"pipe,name={name};urp;"
    process = subprocess.Popen(
        ["soffice", *flags, f"-env:UserInstallation={pathlib.Path(profile).as_uri()}", f"--accept={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    for _ in range(600):
        try:
            return process, resolver.resolve(f"uno:{address}StarOffice.ComponentContext")
        except Exception:
            if process.poll() is not None:
                raise RuntimeError(f"LibreOffice ended with code {process.returncode}") from None
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("LibreOffice did not start within a minute")


def main():
    """Answer requests until the input ends."""
    given = [argument.partition("=")[2] for argument in sys.argv if argument.startswith("--profile=")]
    profile = given[0] if given else tempfile.mkdtemp(prefix="cf_excel_office_")
    process, context = start(profile, visible="--visible" in sys.argv)
    desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
    try:
        loader = context.ServiceManager.createInstanceWithContext("com.sun.star.loader.Python", context)
        factory = loader.activate("Inside", "", pathlib.Path(__file__).with_name("office_inside.py").as_uri(), None)
        inside = factory.createInstanceWithContext(context)
        print(json.dumps({"result": "ready"}), flush=True)
        for line in sys.stdin:
            try:
                answer = inside.execute((NamedValue("request", line),))
            except Exception:  # LibreOffice has ended
                answer = json.dumps({"error": traceback.format_exc()})
            print(answer, flush=True)
    finally:
        try:
            desktop.terminate()
            process.wait(10)
        except Exception:
            process.kill()
        if not given:
            shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    main()
