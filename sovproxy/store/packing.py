"""Columns of whole numbers as bytes, and those that were read last, kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

type Numbers = NDArray[Any]

CACHE_BYTES: Final = 384 * 1024 * 1024
_HEADER: Final = 8  # keeps the numbers aligned
_WIDTHS: Final = (("1", "<u1", 2**8), ("2", "<u2", 2**16), ("4", "<u4", 2**32))
_TYPES: Final = {code: np.dtype(name) for code, name, _ in _WIDTHS} | {"8": np.dtype("<i8")}


def pack(numbers: Numbers) -> bytes:
    """Write numbers as narrowly as the least and the greatest allow."""
    code, name = "8", "<i8"
    if not numbers.size or numbers.min() >= 0:
        greatest = int(numbers.max()) if numbers.size else 0
        code, name = next(((c, n) for c, n, limit in _WIDTHS if greatest < limit), (code, name))
    return code.encode().ljust(_HEADER, b"\0") + numbers.astype(name).tobytes()


def unpack(data: bytes) -> Numbers:
    """Read what `pack` wrote; the numbers cannot be changed."""
    return np.frombuffer(data, _TYPES[chr(data[0])], offset=_HEADER)


class ColumnCache:
    """Columns that were read last, up to a number of bytes.

    What is stored under a name is never changed, so what is remembered is never wrong: several
    processes may share a database and each have a cache of its own. That holds of what is
    committed; who reads what its own transaction wrote must not remember it.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._lock = threading.Lock()
        self._limit = limit
        self._used = 0
        self._columns: OrderedDict[Hashable, tuple[Numbers, ...]] = OrderedDict()

    def get(self, key: Hashable) -> tuple[Numbers, ...] | None:
        """What is remembered under this name, or None."""
        with self._lock:
            found = self._columns.get(key)
            if found is not None:
                self._columns.move_to_end(key)
            return found

    def put(self, key: Hashable, columns: tuple[Numbers, ...]) -> None:
        """Remember; what was not asked for longest is forgotten when there is too much."""
        with self._lock:
            if key in self._columns:
                return
            self._columns[key] = columns
            self._used += _size(columns)
            while self._used > self._limit and self._columns:
                _, gone = self._columns.popitem(last=False)
                self._used -= _size(gone)


def _size(columns: tuple[Numbers, ...]) -> int:
    return sum(column.nbytes + 200 for column in columns)
