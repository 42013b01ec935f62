"""Drive a headless LibreOffice: runs in the Python that has its bridge (uno), speaks JSON lines with office.py.

With --visible it has windows, on the display that the environment names.

Requests: {"script": path of a Python file, "function": its function, "args": [...]}; the function gets the desktop, the
component context and the arguments. Answers: {"result": ...} or {"error": traceback}.
"""

import importlib.util
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
    print(json.dumps({"result": "ready"}), flush=True)
    modules = {}
    try:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                path = request["script"]
                if path not in modules:
                    spec = importlib.util.spec_from_file_location(f"script{len(modules)}", path)
                    modules[path] = importlib.util.module_from_spec(spec)
                    spec.loader.exec_module(modules[path])
                answer = {"result": getattr(modules[path], request["function"])(desktop, context, *request["args"])}
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)
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
