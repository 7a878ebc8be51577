"""Events as one Parquet file, written row group by row group into a stream.

Times are instants in UTC (microseconds), `control` is a list, ids are what Parquet calls a UUID,
and texts that repeat are kept in dictionaries. Format: parquet.apache.org, version 2.6.
"""

from __future__ import annotations

import io
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from sovproxy.events.event import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import ReadableBuffer

GROUP: Final = 10_000
"""Events in one row group: about 5 MiB in memory."""

_TYPES: Final = {
    "id": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "port": pa.uint16(),
    "control": pa.list_(pa.string()),
    "asn": pa.uint32(),
    "decrypted": pa.bool_(),
}
_UNIQUE: Final = frozenset({"id"})

SCHEMA: Final = pa.schema(
    [pa.field(name, _TYPES.get(name, pa.string()), nullable=False) for name in Event.model_fields],
    metadata={"made_by": "sovproxy", "what": "events"},
)
"""The columns of the file, in the order of the event's fields."""

_DICTIONARIES: Final = [
    name for name in SCHEMA.names if pa.types.is_string(SCHEMA.field(name).type)
]


class _Pipe(io.RawIOBase):
    """Takes what is written and gives it away again: nothing that was given is kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """It is only written to."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Take bytes."""
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        """How many bytes were written so far."""
        return self._written

    def take(self) -> bytes:
        """Give what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def parquet_parts(events: Iterable[Event]) -> Iterator[bytes]:
    """Write the file part by part, a row group each. Whatever `events` raises passes through."""
    pipe = _Pipe()
    writer = pq.ParquetWriter(
        pipe,
        SCHEMA,
        version="2.6",
        compression="zstd",
        use_dictionary=[name for name in _DICTIONARIES if name not in _UNIQUE],
        write_statistics=True,
    )
    for group in batched(events, GROUP):
        writer.write_batch(_batch(group), row_group_size=GROUP)
        yield pipe.take()
    writer.close()
    yield pipe.take()


def _batch(events: Iterable[Event]) -> pa.RecordBatch:
    rows = [event.__dict__ for event in events]
    columns = [pa.array(_values(name, rows), SCHEMA.field(name).type) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _values(name: str, rows: list[dict[str, Any]]) -> list[Any]:
    values = [row[name] for row in rows]
    return [str(value) for value in values] if name in _UNIQUE else values
