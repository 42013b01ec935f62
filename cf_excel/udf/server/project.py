"""The folder that xlwings-server serves: packages, the task pane, an identity for the manifest, a certificate."""

import datetime
import ipaddress
import uuid
from pathlib import Path

from cf_excel.errors import FileError
from cf_excel.files import check_source, make_folder, replacing

LICENSE_NOTE = (
    "xlwings-server and the part of xlwings that it uses are not open source: PolyForm Noncommercial License 1.0.0 "
    "(https://polyformproject.org/licenses/noncommercial/1.0.0) or a paid licence (https://www.xlwings.org/pricing)"
)
_FUNCTIONS = "from cf_excel.udf.server.custom_functions import *\n"
_SCRIPTS = "from cf_excel.udf.server.custom_scripts import train_model, write_factors, write_predictions\n"
_TASK_PANE = """{% extends "base.html" %}
{% block content %}
<div class="container-fluid pt-3 ps-3">
  <h1>cf_excel</h1>
  <button xw-click="train_model" class="btn btn-primary btn-sm" type="button">Train the model</button>
  <button xw-click="write_factors" class="btn btn-primary btn-sm" type="button">Write the factors</button>
  <button xw-click="write_predictions" class="btn btn-primary btn-sm" type="button">Write the predictions</button>
</div>
{% endblock content %}
"""
_SETTINGS = """[tool.xlwings_server]
project_name = "cf_excel"
functions_namespace = ""
enable_socketio = false
enable_hotreload = false
manifest_id_prod = "{identity}"
"""
_COMMON_NAME = "localhost (cf_excel)"
_DAYS = 365
_RENEWED_DAYS = 30


def prepare(folder: Path) -> str:
    """Fill a folder; what is there already stays, so that the manifest keeps its identity.

    A certificate of ours that ends within a month, or that has lost its key, is made anew; returns what to say of that,
    "" where there is nothing. Raises FileError where that can't be, ImportError where the extra `server` is not
    installed.
    """
    _write(folder / "custom_functions" / "__init__.py", _FUNCTIONS)
    _write(folder / "custom_scripts" / "__init__.py", _SCRIPTS)
    _write(folder / "templates" / "taskpane.html", _TASK_PANE)
    _write(folder / "pyproject.toml", _SETTINGS.format(identity=uuid.uuid4()))
    paths = folder / "localhost.crt", folder / "localhost.key"
    is_there = all(path.exists() for path in paths)
    fault = _fault_of_certificate(*paths) if is_there else ""
    if fault or not is_there:
        for path, text in zip(paths, make_certificate(), strict=True):
            _write(path, text, replace=True, private=path.suffix == ".key")
    return f"{paths[0]} {fault}: there is a new one; trust it, as you did the former" if fault else ""


def _fault_of_certificate(certificate: Path, key: Path) -> str:
    """Return why a certificate is of no use, "" for a good one and for one that we did not make."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import NameOID

    try:
        for path in (certificate, key):
            check_source(path)
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = [attribute.value for attribute in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [_COMMON_NAME]:
            return ""
        if load_pem_private_key(key.read_bytes(), None).public_key() != read.public_key():
            return "did not fit its key"
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{certificate} or its key can't be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise FileError(f"{certificate} or its key is damaged: delete both, and there will be new ones") from None
    left = read.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return f"was good until {read.not_valid_after_utc:%Y-%m-%d}" if left.days < _RENEWED_DAYS else ""


def make_certificate() -> tuple[str, str]:
    """Return a certificate for localhost and 127.0.0.1 that signs itself, for a year, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return certificate.public_bytes(pem).decode(), key.private_bytes(pem, *plain).decode()


def _write(path: Path, text: str, *, replace: bool = False, private: bool = False) -> None:
    if path.exists() and not replace:
        return
    make_folder(path.parent)
    with replacing(path, private=private) as temporary:
        temporary.write_text(text, encoding="utf-8")
