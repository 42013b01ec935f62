"""One LibreOffice for a test session, in a process that has its Python bridge."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = HERE / "office_scripts.py"


class OfficeError(Exception):
    """LibreOffice, or a script inside it, failed."""


class Office:
    """Call functions of a script file inside a running LibreOffice, with a profile of its own unless one is given."""

    def __init__(self, display: str | None = None, profile: Path | None = None, **environment: str) -> None:
        """Start it without windows, or with windows on a display such as :99."""
        # the bridge belongs to the system's Python, which need not be the one that runs the tests
        python = os.environ.get("CF_EXCEL_UNO_PYTHON", "/usr/bin/python3")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        # LibreOffice's own Python looks for its library beside the first python3 on the path: no environment's
        folders = os.environ["PATH"].split(os.pathsep)
        clean["PATH"] = os.pathsep.join(
            folder for folder in folders if not Path(folder).parent.joinpath("pyvenv.cfg").exists()
        )
        command = [python, str(HERE / "office_worker.py")]
        if profile:
            command.append(f"--profile={profile}")
        if display:
            command, clean = [*command, "--visible"], {**clean, "DISPLAY": display}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean | environment,
        )
        self._answer()

    def call(self, function: str, *args: object, script: Path = SCRIPTS) -> object:
        """Call a function of the script with the desktop, the context and these arguments."""
        request = {"script": str(script), "function": function, "args": args}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def recalculate(self, path: Path, changes: dict | None = None) -> dict:
        """Return every sheet's recalculated values (rows from A1) and the addresses of its error cells."""
        return self.call("recalculate", str(path), changes)

    def close(self) -> None:
        """End LibreOffice."""
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._process.stderr.close()

    def _answer(self) -> object:
        line = self._process.stdout.readline()
        if not line:
            raise OfficeError(self._process.stderr.read())
        answer = json.loads(line)
        if "error" in answer:
            raise OfficeError(answer["error"])
        return answer["result"]
