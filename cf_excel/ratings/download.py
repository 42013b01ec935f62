"""Fetch MovieLens data sets from GroupLens into a cache folder.

With the standard library: pooch has no limit on bytes, follows redirects from https to http, and keeps what is no zip.
"""

import hashlib
import os
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO

from cf_excel import __version__
from cf_excel.errors import FileError, InputError
from cf_excel.files import check_target, replacing

BASE_URL = "https://files.grouplens.org/datasets/movielens"
# The MD5 that GroupLens publishes beside each (NAME.zip.md5); the two "latest" sets change from time to time.
MD5 = {
    "ml-latest-small": None,
    "ml-latest": None,
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-10m": "ce571fd55effeba0271552578f2648bd",
    "ml-20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}
MAX_BYTES = 10**9
TIMEOUT_SECONDS = 30
TERMS = (
    "MovieLens is GroupLens' data, under the terms in the zip's README: no commercial use without permission, no claim "
    "of endorsement; cite Harper & Konstan 2015, The MovieLens Datasets, ACM TiiS 5(4):19."
)

_BLOCK_BYTES = 2**18


def download(
    name: str,
    *,
    base_url: str | None = None,
    cache: Path | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Path:
    """Return the zip of a MovieLens data set in the cache folder, fetching it if it is not there.

    A zip gets its name in the cache only when it is whole and its checksum right (where GroupLens publishes one): a
    broken download leaves nothing. The cache is the user's cache folder or $CF_EXCEL_CACHE, the server GroupLens or
    $CF_EXCEL_DOWNLOAD_URL; proxies come from the environment. tell: called with how
    many bytes came, and how many there are, where the server says so.
    Raises InputError for an unknown name and FileError for everything that goes wrong on the way.
    """
    if name not in MD5:
        raise InputError(f"--download {name}: expected one of {', '.join(MD5)}")
    cache = cache or cache_folder()
    target = cache / f"{name}.zip"
    if target.is_file():
        return target
    url = f"{base_url or os.environ.get('CF_EXCEL_DOWNLOAD_URL') or BASE_URL}/{name}.zip"
    _refuse_other_scheme(url)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{cache}: {error.strerror}; set CF_EXCEL_CACHE to another folder") from error
    check_target(target)
    with replacing(target) as temporary:
        digest = _fetch(url, temporary, tell)
        _check(temporary, url, digest, MD5[name])
    print(TERMS, file=sys.stderr)
    return target


def cache_folder() -> Path:
    """Return the folder that keeps downloads: $CF_EXCEL_CACHE or the system's place for it."""
    if folder := os.environ.get("CF_EXCEL_CACHE"):
        return Path(folder)
    from platformdirs import user_cache_path

    return user_cache_path("cf_excel", appauthor=False)


def _fetch(url: str, path: Path, tell: Callable[[int, int], None] | None) -> str:
    """Write what the server sends to a file and return its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with _open(url) as response, open(path, "wb") as file:
        size = _declared_size(response, url)
        n_bytes = 0
        for block in _blocks(response, url):
            n_bytes += len(block)
            if n_bytes > MAX_BYTES:
                raise _too_large(url, n_bytes)
            digest.update(block)
            file.write(block)
            if tell and size:
                tell(n_bytes, size)
    if size is not None and n_bytes != size:
        raise FileError(f"{url} broke off after {n_bytes:,} of {size:,} bytes: try again")
    return digest.hexdigest()


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from the web to something else, nor from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _refuse_other_scheme(newurl, after=req.full_url)
        except FileError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str) -> HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": f"cf_excel/{__version__}"})
    try:
        return urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT_SECONDS)
    except FileError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        raise FileError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _no_answer(url, error) from error


def _blocks(response: HTTPResponse, url: str) -> Iterator[bytes]:
    try:
        while block := response.read(_BLOCK_BYTES):
            yield block
    except (OSError, HTTPException, ValueError) as error:
        raise _no_answer(url, error) from error


def _declared_size(response: HTTPResponse, url: str) -> int | None:
    declared = response.headers.get("Content-Length", "")
    size = int(declared) if declared.isdecimal() else None
    if size is not None and size > MAX_BYTES:
        raise _too_large(url, size)
    return size


def _check(path: Path, url: str, digest: str, expected: str | None) -> None:
    if expected is not None and digest != expected:
        raise FileError(f"{url} has MD5 {digest}, expected {expected}: not kept")
    if not zipfile.is_zipfile(path):
        raise FileError(f"{url} sent no zip (a login page of the network?): not kept")


def _refuse_other_scheme(url: str, after: str = "") -> None:
    scheme = url.partition(":")[0].lower()
    if scheme not in ("http", "https") or (scheme == "http" and after.lower().startswith("https:")):
        leads = f"{after} leads to {url}" if after else url
        raise FileError(f"{leads}: expected {'https' if scheme == 'http' else 'http or https'}, not read")


def _too_large(url: str, size: int) -> FileError:
    return FileError(f"{url} is {size:,} bytes or more, over the limit of {MAX_BYTES:,}: not kept")


def _no_answer(url: str, error: Exception) -> FileError:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        reason = f"no answer in {TIMEOUT_SECONDS} seconds"
    return FileError(f"{url} can't be fetched ({reason}): check the network, or fetch the zip and pass --ratings PATH")
