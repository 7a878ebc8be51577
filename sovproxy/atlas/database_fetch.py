"""Fetch a database from where the administration keeps it: http(s), a file: URL, or a path.

A fragment asks for a check of the file as it is fetched: `…#sha256=<64 hex digits>`, or
`…#sha256=<URL of a checksum file>`, also relative (`db.mmdb.gz#sha256=db.mmdb.gz.sha256`).
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

import httpx

from sovproxy.atlas.mmdb_schema import printable
from sovproxy.errors import UnusableDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FETCHED = 1024**3
MAX_CHECKSUM_FILE = 4096
DEADLINE = 30 * 60.0
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
MAX_REDIRECTS = 5
CHUNK = 256 * 1024

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched. `etag` is the server's name for it, or empty."""

    etag: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of one download, and seconds for all of it."""

    fetched: int = MAX_FETCHED
    deadline: float = DEADLINE


def shown(url: str) -> str:
    """Give a URL without what may be secret in it: user, password, query (IPinfo's token)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL that cannot be read"
    host = parts.netloc.rpartition("@")[2]
    return printable(urlunsplit((parts.scheme, host, parts.path, "", "")), 300)


def fetch(url: str, out: IO[bytes], etag: str = "", limits: Limits | None = None) -> Fetched | None:
    """Fetch into an open, empty file; None if the server says that `etag` is still current.

    Raises UnusableDatabase, with nothing secret in its text. The caller discards `out` then.
    """
    limits = limits or Limits()
    base = url
    try:
        base, fragment = urldefrag(url)
        wanted = _wanted(base, fragment, limits)
        if _is_local(base):
            return _take(_local(base), out, wanted, limits, Fetched())
        return _download(base, out, etag, wanted, limits)
    except UnusableDatabase as error:
        raise UnusableDatabase(f"{shown(url)}: {error}") from None
    except (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = _without_secrets(str(error) or type(error).__name__, base)
        raise UnusableDatabase(f"{shown(url)}: cannot be fetched: {reason}") from None


def _without_secrets(text: str, url: str) -> str:
    return printable(text.replace(url, shown(url)), 300)


def _is_local(url: str) -> bool:
    return urlsplit(url).scheme in {"", "file"}


def _local(url: str) -> Iterable[bytes]:
    parts = urlsplit(url)
    path = Path(unquote(parts.path)) if parts.scheme else Path(url)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _wanted(base: str, fragment: str, limits: Limits) -> str:
    """Find the sha256 that the fetched bytes must have; empty if none was asked for."""
    if not fragment:
        return ""
    name, _, value = fragment.partition("=")
    if name != "sha256" or not value:
        raise UnusableDatabase(f"after # stands {printable(fragment)!r}; wanted sha256=…")
    if _DIGEST.fullmatch(value):
        return value.lower()
    return _read_checksum(_beside(base, value), limits)


def _beside(base: str, value: str) -> str:
    if urlsplit(value).scheme or urlsplit(base).scheme:
        return urljoin(base, value)
    return str(Path(base).parent / value)


def _read_checksum(url: str, limits: Limits) -> str:
    """Read a checksum file: the digest, alone or as sha256sum writes it."""
    text = b""
    small = Limits(MAX_CHECKSUM_FILE, min(60.0, limits.deadline))
    if _is_local(url):
        text = b"".join(_bounded(_local(url), small))
    else:
        with _client() as client, client.stream("GET", url) as response:
            _refuse_status(response)
            text = b"".join(_bounded(response.iter_bytes(), small))
    first = text.decode("ascii", "replace").split()[:1]
    if not first or not _DIGEST.fullmatch(first[0]):
        raise UnusableDatabase(f"the checksum file {shown(url)} does not begin with a sha256")
    return first[0].lower()


def _client() -> httpx.Client:
    return httpx.Client(
        timeout=TIMEOUT,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"response": [_refuse_downgrade]},
        headers={"User-Agent": "sovproxy", "Accept-Encoding": "identity"},
    )


def _refuse_downgrade(response: httpx.Response) -> None:
    """Never follow a redirect from https to plain http."""
    if response.has_redirect_location and response.url.scheme == "https":
        following = response.url.join(response.headers["location"])
        if following.scheme != "https":
            raise UnusableDatabase(f"redirects from https to {following.scheme}; refused")


def _refuse_status(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        where = shown(str(response.url))
        reason = printable(response.reason_phrase)
        raise UnusableDatabase(f"{where} answered {response.status_code} {reason}, wanted 200")


def _download(url: str, out: IO[bytes], etag: str, wanted: str, limits: Limits) -> Fetched | None:
    headers = {"If-None-Match": etag} if etag else {}
    with _client() as client, client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.NOT_MODIFIED and etag:
            return None
        _refuse_status(response)
        # Raw: a server that calls a .gz file an encoding must not change what the checksum covers.
        found = Fetched(response.headers.get("etag", "")[:200])
        return _take(response.iter_raw(CHUNK), out, wanted, limits, found)


def _take(
    chunks: Iterable[bytes], out: IO[bytes], wanted: str, limits: Limits, found: Fetched
) -> Fetched:
    digest = hashlib.sha256()
    for chunk in _bounded(chunks, limits):
        digest.update(chunk)
        out.write(chunk)
    if wanted and digest.hexdigest() != wanted:
        raise UnusableDatabase(f"its sha256 is {digest.hexdigest()}, wanted {wanted}; not used")
    return found


def _bounded(chunks: Iterable[bytes], limits: Limits) -> Iterable[bytes]:
    end, left = time.monotonic() + limits.deadline, limits.fetched
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise UnusableDatabase(f"is larger than the limit of {limits.fetched} bytes")
        if time.monotonic() > end:
            raise UnusableDatabase(f"took longer than {limits.deadline:.0f} seconds")
        yield chunk
