"""The functions in Excel on Windows: the real xlwings, as on Windows, over stand-ins for COM."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.function_calls import CALLS, MISSING

from cf_excel.model.file import save_factors
from cf_excel.udf import excel
from cf_excel.udf.descriptions import ARGUMENTS, help_of, signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.functions_vba import UDF_MODULE, wrappers

HERE = Path(__file__).parents[1] / "support"
IMPORT = f"""
import json, com_stub
xlwings = com_stub.load_xlwings()
import xlwings.udfs as udfs
book = com_stub.Workbook()
module = udfs.get_udf_module("{UDF_MODULE}", None)
udfs.import_udfs("{UDF_MODULE}", book)
print(json.dumps([book.module, book.options]))
"""
CALL = f"""
import json, sys, com_stub
xlwings = com_stub.load_xlwings()
import xlwings.udfs as udfs
tuples = lambda value: tuple(map(tuples, value)) if isinstance(value, list) else value
for line in sys.stdin:
    name, arguments = json.loads(line)
    print(json.dumps(udfs.call_udf("{UDF_MODULE}", name, tuples(arguments))), flush=True)
"""


@pytest.fixture(scope="module")
def sheet(tmp_path_factory, tiny_factors):
    path = tmp_path_factory.mktemp("excel") / "model.safetensors"
    save_factors(tiny_factors(), path)
    return Functions(path)


def expected(sheet, name, arguments):
    given = [None if argument == MISSING else argument for argument in arguments]
    result = json.loads(json.dumps(getattr(sheet, name)(*given)))
    return result if isinstance(result, list) else [[result]]


def python(code: str, **environment: str) -> subprocess.Popen:
    folders = os.pathsep.join([str(HERE), str(HERE.parent)])
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": folders} | environment,
    )


def test_wrappers_are_what_import_functions_writes():
    with python(IMPORT) as process:
        module, options = json.loads(process.stdout.read().splitlines()[-1])
    assert module == 'Attribute VB_Name = "xlwings_udfs"\n' + wrappers(with_help=False)
    assert set(options) == set(signatures())
    for name, signature in signatures().items():
        assert options[name]["Description"] == help_of(name)
        assert options[name]["Category"] == "cf_excel"
        assert options[name]["ArgumentDescriptions"] == ([ARGUMENTS[a] for a in signature.parameters] or None)
        assert f'Attribute {name}.VB_Description = "{help_of(name)}"' in wrappers()


def test_calls_as_vba_makes_them_and_a_replaced_model(sheet, tiny_factors):
    with python(CALL, CF_EXCEL_MODEL=str(sheet.path)) as process:

        def call(name, arguments):
            process.stdin.write(json.dumps([name, arguments]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        for seed in (0, 1, 0):
            save_factors(tiny_factors(seed=seed), sheet.path)
            for name, arguments in CALLS:
                assert call(name, arguments) == expected(sheet, name, arguments), name
        sheet.path.unlink()
        assert call("CF_PREDICT", [15.0, 1.0])[0][0].startswith("CF_PREDICT: there is no model at")
        save_factors(tiny_factors(), sheet.path)
        process.stdin.close()


def test_every_function_is_called_above():
    assert {name for name, _ in CALLS} == set(signatures())


def test_the_module_has_every_function_with_its_signature():
    for name in signatures():
        function = getattr(excel, name)
        assert function.__doc__ == help_of(name)
        assert function.__signature__ == signatures()[name]


def test_the_module_loads_only_what_xlwings_loads():
    code = f"import sys, {UDF_MODULE}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"torch", "openpyxl", "numba", "scipy", "rich"} == set()
