"""What VBA projects hold of the functions, and what else."""

from dataclasses import replace

from cf_excel.udf.found_functions import has_functions, is_ours, others_in, own_project
from cf_excel.xlsx.vba.read_project import read_project
from cf_excel.xlsx.vba.vba_project import VbaProject


def read(project):
    return read_project(project.packed(["Sheet1"]), "a.xlsm")


def with_modules(**modules):
    project = own_project()
    return replace(project, modules=project.modules | modules)


def test_the_functions_of_this_version():
    vba = read(own_project())
    assert (is_ours(vba), has_functions(vba), others_in(vba)) == (True, True, [])
    assert set(vba.modules) == {"xlwings", "xlwings_udfs", "cf_excel_wizard", "Dictionary"}


def test_what_excel_writes_otherwise_does_not_count():
    udfs = own_project().modules["xlwings_udfs"]
    written = udfs.replace("TypeOf", "typeof").replace("    ", "\t").replace(", ", ",")
    assert has_functions(read(with_modules(xlwings_udfs=written)))
    without = read(with_modules(cf_excel_wizard=""))  # as whoever imports the functions has them
    assert (has_functions(without), has_functions(without, with_wizard=False)) == (False, True)
    assert not has_functions(read(with_modules(xlwings_udfs=udfs.replace("CF_TOP", "CF_BEST"))))


def test_functions_without_the_modules_of_xlwings():
    project = own_project()
    vba = read(VbaProject({"xlwings_udfs": project.modules["xlwings_udfs"]}))
    assert (has_functions(vba), has_functions(vba, with_addin=True)) == (False, True)
    assert not has_functions(read(VbaProject({})), with_addin=True)


def test_code_of_somebody_else():
    udfs = own_project().modules["xlwings_udfs"]
    assert others_in(read(with_modules(Module1="Sub Mine()\nEnd Sub\n"))) == ["Module1"]
    assert others_in(read(with_modules(xlwings_udfs=udfs + udfs.replace("cf_excel.udf.excel", "mine")))) == [
        "xlwings_udfs"
    ]
    assert others_in(read(VbaProject({"xlwings": "' mine"}))) == ["xlwings"]
    assert others_in(read(VbaProject({}, documents={"Sheet1": "Option Explicit\n\n"}))) == []
    assert others_in(read(VbaProject({}, documents={"Sheet1": "Sub A()\nEnd Sub"}))) == ["Sheet1"]
