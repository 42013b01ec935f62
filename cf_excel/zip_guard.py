"""What somebody's archive may do to whoever reads it: none is trusted."""

import struct
import zipfile
import zlib
from dataclasses import dataclass

from cf_excel.errors import FileError

# What the standard library raises over damaged archives; NotImplementedError is a RuntimeError.
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, RuntimeError)
SMALL_BYTES = 2**26  # what any archive may unpack to


@dataclass(frozen=True)
class UnpackingLimits:
    """What larger archives of a kind may unpack to: so many times their size, and so many bytes at most."""

    what: str
    ratio: int
    most: int

    def check(self, name: str, packed: int, unpacked: int) -> None:
        """Raise FileError where so many bytes unpack to too many; name: what messages call the archive."""
        if unpacked > min(self.most, max(SMALL_BYTES, self.ratio * packed)):
            raise FileError(f"{name} unpacks to {unpacked:,} bytes or more: no {self.what} packed like that, not read")


def is_encrypted(entry: zipfile.ZipInfo) -> bool:
    """Whether a password is needed to unpack an entry."""
    return bool(entry.flag_bits & 1)
