"""Runs script files inside LibreOffice's own process, where a call costs a thousandth of one from outside."""

import importlib.util
import json
import os
import sys
import traceback

import unohelper
from com.sun.star.task import XJob

sys.path.append(os.path.dirname(__file__))
modules = {}


class Inside(unohelper.Base, XJob):
    """Answers the requests that office_worker.py describes."""

    def __init__(self, context):
        self._context = context
        self._desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)

    def execute(self, arguments):
        """Return the answer to a request, both as JSON."""
        request = json.loads(arguments[0].Value)
        try:
            path = request["script"]
            if path not in modules:
                spec = importlib.util.spec_from_file_location(f"script{len(modules)}", path)
                modules[path] = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(modules[path])
            function = getattr(modules[path], request["function"])
            return json.dumps({"result": function(self._desktop, self._context, *request["args"])})
        except Exception:
            return json.dumps({"error": traceback.format_exc()})


g_ImplementationHelper = unohelper.ImplementationHelper()  # LibreOffice looks for this name
g_ImplementationHelper.addImplementation(Inside, "Inside", ())
