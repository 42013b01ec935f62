"""Made-up Windows machines for the doctor."""

from pathlib import Path

from cf_excel.udf.checks import Machine

EXCEL = r"C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE"


def windows(executable="C:\\Python\\python.exe", environment=None, prefix=Path("none"), **registry):
    values = {"program": EXCEL, "Platform": "x64", "VersionToReport": "16.0.1"} | registry
    return Machine(
        platform="win32",
        executable=executable,
        prefix=prefix,
        bits=64,
        environment=environment or {},
        registry=lambda root, key, name: values.get(("policy" if "Policies" in key else "") + name or "program"),
    )


def found(checks, name):
    return next(check for check in checks if check.name == name)
