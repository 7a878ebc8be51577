"""Events as columns: what filters look at, in blocks of some 100,000 events.

An index leads to what one filter finds; there are too many combinations of filters for that, and
each index costs as much as the events. So the few numbers that filters look at stand by themselves,
close together, 20 bytes to an event. Looking through ten million of them takes a tenth of a second,
whatever is looked for.

A batch of events is a small block. Sixteen small blocks of one level are joined to one of the next,
until they are large enough. A block is never changed, only replaced by others.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from sqlalchemy import delete, select

from sovproxy.store.bulk import chunks, insert_rows, take_numbers
from sovproxy.store.driver import read_bytes
from sovproxy.store.packing import ColumnCache, pack, unpack
from sovproxy.store.tables import BLOCK_COLUMNS, BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.packing import Numbers

NAMES: Final = ("time", "seq", "sort", "client", "host", "detail")
JOINED: Final = 16
LARGE: Final = 65_536
_DONE: Final = -1
_MOST_AT_ONCE: Final = 32

type Columns = Mapping[str, Numbers]


class Block(NamedTuple):
    """What is known of a block without reading its columns."""

    id: int
    level: int
    size: int
    last_seq: int
    first_time: int
    last_time: int


class Reader:
    """Reads columns of blocks, within one transaction; what was read is remembered beyond it."""

    def __init__(self, connection: Connection, cache: ColumnCache) -> None:
        self._connection = connection
        self._cache = cache

    def column(self, block: Block, name: str) -> Numbers:
        """One column."""
        return self.columns([block], name)[0]

    def columns(self, blocks: Sequence[Block], name: str) -> list[Numbers]:
        """The same column of several blocks. Time and `seq` are written as what is beyond the
        block's least."""
        found = {block.id: self._cache.get((block.id, name)) for block in blocks}
        missing = [number for number, columns in found.items() if columns is None]
        for number, data in self._read(missing, name):
            numbers = unpack(data)
            self._cache.put((number, name), (numbers,))
            found[number] = (numbers,)
        return [columns[0] for block in blocks if (columns := found[block.id]) is not None]

    def _read(self, missing: list[int], name: str) -> Iterator[tuple[int, bytes]]:
        for chunk in chunks(missing, _MOST_AT_ONCE):
            query = select(BLOCK_COLUMNS.c.block, BLOCK_COLUMNS.c.data)
            query = query.where(BLOCK_COLUMNS.c.block.in_(chunk), BLOCK_COLUMNS.c.name == name)
            yield from read_bytes(self._connection, query)


def times_of(block: Block, reader: Reader, chosen: Numbers | slice) -> Numbers:
    """The times (Unix µs) of chosen rows of a block."""
    return _times(block, reader.column(block, "time")[chosen])


def seqs_of(block: Block, reader: Reader, chosen: Numbers | slice) -> Numbers:
    """The `seq` of chosen rows of a block."""
    return _seqs(block, reader.column(block, "seq")[chosen])


def _times(block: Block, written: Numbers) -> Numbers:
    return written.astype(np.int64) + block.first_time


def _seqs(block: Block, written: Numbers) -> Numbers:
    return block.last_seq - written.astype(np.int64)


def _as_written(_block: Block, written: Numbers) -> Numbers:
    return written


def list_blocks(
    connection: Connection, begin: int | None = None, end: int | None = None, after_seq: int = 0
) -> list[Block]:
    """The blocks that may have events of a range of time, and that arrived after `after_seq`."""
    query = select(*(BLOCKS.c[name] for name in Block._fields))
    if begin is not None:
        query = query.where(BLOCKS.c.last_time >= begin)
    if end is not None:
        query = query.where(BLOCKS.c.first_time < end)
    if after_seq:
        query = query.where(BLOCKS.c.last_seq > after_seq)
    return [Block(*row) for row in connection.execute(query)]


def add_block(connection: Connection, columns: Columns, level: int = 0) -> None:
    """Write a block of at least one event. The caller has the lock of `Store.ingesting`."""
    number = take_numbers(connection, "block", 1)
    times, seqs = columns["time"], columns["seq"]
    first, last, last_seq = int(times.min()), int(times.max()), int(seqs.max())
    size = len(times)
    level = _DONE if size >= LARGE else level
    insert_rows(connection, BLOCKS, [(number, level, size, last_seq, first, last)])
    written = dict(columns) | {"time": times - first, "seq": last_seq - seqs}
    rows = [(number, name, pack(written[name])) for name in NAMES]
    insert_rows(connection, BLOCK_COLUMNS, rows)


def join_blocks(connection: Connection) -> None:
    """Join the small blocks of each level of which there are enough."""
    query = select(*(BLOCKS.c[name] for name in Block._fields)).where(BLOCKS.c.level != _DONE)
    levels: defaultdict[int, list[Block]] = defaultdict(list)
    for row in connection.execute(query.order_by(BLOCKS.c.id)):
        levels[row.level].append(Block(*row))
    reader = Reader(connection, ColumnCache(0))  # a transaction that fails gives its ids again
    for level, blocks in levels.items():
        if len(blocks) >= JOINED or sum(block.size for block in blocks) >= LARGE:
            joined = whole_columns(reader, blocks)
            drop_blocks(connection, blocks)
            add_block(connection, joined, level + 1)


def whole_columns(reader: Reader, blocks: Sequence[Block]) -> dict[str, Numbers]:
    """All columns of some blocks, one after the other."""
    parts = {name: zip(blocks, reader.columns(blocks, name), strict=True) for name in NAMES}
    whole = {"time": _times, "seq": _seqs}
    return {
        name: np.concatenate([whole.get(name, _as_written)(*part) for part in found])
        for name, found in parts.items()
    }


def drop_blocks(connection: Connection, blocks: Iterable[Block]) -> None:
    """Delete blocks with their columns."""
    ids = [block.id for block in blocks]
    connection.execute(delete(BLOCK_COLUMNS).where(BLOCK_COLUMNS.c.block.in_(ids)))
    connection.execute(delete(BLOCKS).where(BLOCKS.c.id.in_(ids)))
