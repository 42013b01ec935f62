"""Write a Windows DLL that only forwards functions to other DLLs: what Debian's Wine lacks and Windows has.

usage: python3 forwarder.py bcryptprimitives.dll ProcessPrng=ADVAPI32.SystemFunction036
"""

import struct
import sys
from pathlib import Path

RVA, FILE_ALIGNMENT = 0x1000, 0x200


def export_section(dll: str, forwards: dict[str, str]) -> bytes:
    """Return an export directory (PE format, "The .edata section") whose addresses are forwarder texts inside it."""
    names = sorted(forwards)
    n = len(names)
    functions = 40
    pointers, ordinals = functions + 4 * n, functions + 8 * n
    texts, at = b"", ordinals + 2 * n
    places = {}
    for text in [dll, *names, *(forwards[name] for name in names)]:
        places[text] = RVA + at + len(texts)
        texts += text.encode() + b"\0"
    head = struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, places[dll], 1, n, n, RVA + functions, RVA + pointers, RVA + ordinals
    )
    return (
        head
        + b"".join(struct.pack("<I", places[forwards[name]]) for name in names)
        + b"".join(struct.pack("<I", places[name]) for name in names)
        + b"".join(struct.pack("<H", i) for i in range(n))
        + texts
    )


def forwarding_dll(dll: str, forwards: dict[str, str]) -> bytes:
    """Return a 64-bit DLL with one section, the exports."""
    section = export_section(dll, forwards)
    padded = section.ljust(-(-len(section) // FILE_ALIGNMENT) * FILE_ALIGNMENT, b"\0")
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    coff = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x2022)  # executable, large addresses, DLL
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0, len(padded), 0, 0, RVA)
    optional += struct.pack("<QII", 0x180000000, 0x1000, FILE_ALIGNMENT)
    optional += struct.pack("<HHHHHHI", 6, 0, 0, 0, 6, 0, 0)
    optional += struct.pack("<IIIHH", 2 * 0x1000, FILE_ALIGNMENT, 0, 3, 0x100)  # sizes; console; NX compatible
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += struct.pack("<II", RVA, len(section)) + bytes(15 * 8)
    header = struct.pack(
        "<8sIIIIIIHHI", b".edata", len(section), RVA, len(padded), FILE_ALIGNMENT, 0, 0, 0, 0, 0x40000040
    )
    head = dos + b"PE\0\0" + coff + optional + header
    return head.ljust(FILE_ALIGNMENT, b"\0") + padded


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_bytes(forwarding_dll(target.name, dict(argument.split("=") for argument in sys.argv[2:])))
