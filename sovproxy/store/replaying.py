"""Going through what was recorded, newest first, as far as a policy can see it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sovproxy.store.bulk import array
from sovproxy.store.queries import Place, Walk
from sovproxy.store.scanning import scan
from sovproxy.store.words import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter
    from sovproxy.store.sorts import Sort

PAGE: Final = 2_000
_TEXTS: Final = ("client", "host", "address")


class Recorded(NamedTuple):
    """One event without its texts for people. A text that retention took meanwhile is empty."""

    place: Place
    sort: Sort
    client: str
    host: str
    address: str
    port: int


class Recording:
    """What was recorded and fits a filter; each text is read once, however often it occurs."""

    def __init__(self, store: Store, wanted: Filter, page: int = PAGE) -> None:
        self._store = store
        self._wanted = wanted
        self._page = page
        self._texts: dict[tuple[str, int], str] = {}

    def pages(self) -> Iterator[list[Recorded]]:
        """Pages of events, newest first, each of one consistent state. Raises StoreUnavailable."""
        after: Place | None = None
        while found := self._next(after):
            yield found
            after = found[-1].place

    def _next(self, after: Place | None) -> list[Recorded]:
        walk = Walk(self._page, after, ascending=False)
        with self._store.reading() as connection:
            look = scan(connection, self._store, self._wanted, begin=walk.begin, end=walk.end)
            places = walk.places(look)
            rows = _rows(connection, places) if places else []
            self._learn(connection, rows)
            sorts = self._store.sorts.snapshot(connection).sorts
        by_seq = {seq: row for seq, *row in rows}
        return list(self._recorded(places, by_seq, sorts))

    def _learn(self, connection: Connection, rows: Iterable[Sequence[int]]) -> None:
        missing: dict[str, set[int]] = defaultdict(set)
        for _, _, *numbers, _ in rows:
            for kind, number in zip(_TEXTS, numbers, strict=True):
                if number and (kind, number) not in self._texts:
                    missing[kind].add(number)
        self._texts |= texts_of(connection, missing)

    def _recorded(
        self, places: Iterable[Place], rows: dict[int, list[int]], sorts: Sequence[Sort | None]
    ) -> Iterator[Recorded]:
        text_of = self._texts.get
        for place in places:
            row = rows.get(place.seq)
            sort = sorts[row[0]] if row else None
            if row is None or sort is None:
                continue
            _, *numbers, port = row
            client, host, address = map(text_of, zip(_TEXTS, numbers, strict=True))
            yield Recorded(place, sort, client or "", host or "", address or "", port)


def _rows(connection: Connection, places: Sequence[Place]) -> list[Any]:
    """Numbers of the events at some places; asked past SQLAlchemy, for speed."""
    columns = "SELECT seq, sort, client, host, address, port FROM event WHERE seq"
    seqs = [place.seq for place in places]
    if connection.dialect.name == "sqlite":
        numbers = ",".join(map(str, seqs))
        return list(connection.exec_driver_sql(f"{columns} IN ({numbers})"))
    times = [place.time for place in places]
    values = (array(seqs), min(times), max(times))  # the range of time spares most partitions
    statement = f"{columns} = ANY(%s::bigint[]) AND time BETWEEN %s AND %s"
    return list(connection.exec_driver_sql(statement, values))
