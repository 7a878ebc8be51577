"""What is held of one person, by pseudonyms: found, counted and erased."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, or_, select, update

from sovproxy.store.audit import add_entry
from sovproxy.store.exceptions import forget_requests
from sovproxy.store.tables import (
    ACKNOWLEDGEMENTS,
    EVENTS,
    FINDINGS,
    NOTES,
    PERSON_REQUESTS,
    RESOLUTIONS,
    VIEWS,
    WORDS,
    PersonRequestRow,
)
from sovproxy.store.words import digest_of, numbers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow

WENT_ON: Final = "The worker went on"
"""How the reason of an acknowledgement begins; the worker's own words follow."""


def insert_request(store: Store, row: PersonRequestRow, entry: AuditRow) -> None:
    """Store a request with its entry in the audit. Raises StoreUnavailable."""
    with store.writing() as connection:
        connection.execute(insert(PERSON_REQUESTS).values(row.model_dump()))
        add_entry(connection, entry)


def get_request(store: Store, request_id: str) -> PersonRequestRow | None:
    """Give one request, or None. Raises StoreUnavailable."""
    query = select(PERSON_REQUESTS).where(PERSON_REQUESTS.c.id == request_id)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return PersonRequestRow(**row) if row else None


def list_requests(store: Store, limit: int) -> list[PersonRequestRow]:
    """Give the newest requests. Raises StoreUnavailable."""
    query = select(PERSON_REQUESTS).order_by(PERSON_REQUESTS.c.created.desc()).limit(limit)
    with store.reading() as connection:
        return [PersonRequestRow(**row) for row in connection.execute(query).mappings()]


def change_request(
    store: Store, request_id: str, start: str, values: dict[str, Any], entry: AuditRow
) -> bool:
    """Change a request in the state `start`; False if it is in another.

    Raises StoreUnavailable.
    """
    this = (PERSON_REQUESTS.c.id == request_id, PERSON_REQUESTS.c.state == start)
    with store.writing() as connection:
        if not connection.execute(update(PERSON_REQUESTS).where(*this).values(values)).rowcount:
            return False
        add_entry(connection, entry)
    return True


def lapse_requests(store: Store, states: Sequence[str], lapsed: str, now: int) -> None:
    """Let go the requests in these states whose time is over at `now` (Unix µs), with the
    pseudonyms in them. Raises StoreUnavailable.
    """
    over = (PERSON_REQUESTS.c.state.in_(states), PERSON_REQUESTS.c.until <= now)
    with store.writing() as connection:
        statement = update(PERSON_REQUESTS).where(*over)
        connection.execute(statement.values(state=lapsed, clients=""))


def delete_old_requests(store: Store, before: int) -> int:
    """Delete the requests made before `before` (Unix µs); say how many. Raises StoreUnavailable."""
    with store.writing() as connection:
        old = delete(PERSON_REQUESTS).where(PERSON_REQUESTS.c.created < before)
        return connection.execute(old).rowcount


def erase(store: Store, clients: Sequence[str], now: int) -> dict[str, int]:
    """Take a person out of all that is held, and say of how much, by kind of data.

    Events stay, without a client; so do exceptions, without client and texts, and those that held
    for the person end. What is in the audit stays. Raises StoreUnavailable.
    """
    with store.ingesting() as connection:
        mine = EVENTS.c.client.in_(numbers_of(connection, "client", clients))
        found = {"events": connection.scalar(select(func.count()).where(mine)) or 0}
        ids = [str(one) for one in connection.execute(select(EVENTS.c.id).where(mine)).scalars()]
        _erase_words(connection, mine, clients)
    with store.writing() as connection:
        gone_on = delete(ACKNOWLEDGEMENTS).where(ACKNOWLEDGEMENTS.c.client.in_(clients))
        found["acknowledgements"] = connection.execute(gone_on).rowcount
        found["exceptions"] = forget_requests(connection, clients, now)
        asked = delete(RESOLUTIONS).where(RESOLUTIONS.c.client.in_(clients))
        found["resolutions"] = connection.execute(asked).rowcount
        found["contests"] = _erase_contests(connection, ids)
        named = or_(*(VIEWS.c.query.contains(client, autoescape=True) for client in clients))
        found["views"] = connection.execute(delete(VIEWS).where(named)).rowcount
    return found


def _erase_words(connection: Connection, mine: ColumnElement[bool], clients: Sequence[str]) -> None:
    """The pseudonyms are written once, as words; and so are the reasons of going on."""
    details = select(EVENTS.c.detail).where(mine).distinct()
    texts = select(WORDS.c.id, WORDS.c.value).where(
        WORDS.c.kind == "detail", WORDS.c.id.in_(details), WORDS.c.value.contains(WENT_ON)
    )
    for number, text in connection.execute(texts).all():
        reason, *others = json.loads(text)
        if not reason.startswith(WENT_ON):
            continue
        blank = json.dumps([f"{WENT_ON}.", *others], ensure_ascii=False, separators=(",", ":"))
        values = {"value": blank, "digest": digest_of("detail", secrets.token_hex(16))}
        word = update(WORDS).where(WORDS.c.kind == "detail", WORDS.c.id == number)
        connection.execute(word.values(values))
    digests = [digest_of("client", client) for client in clients]
    connection.execute(delete(WORDS).where(WORDS.c.digest.in_(digests)))


def contests_of(store: Store, events: Sequence[str], author: str) -> list[dict[str, Any]]:
    """The words that a worker wrote against decisions on these events. Raises StoreUnavailable."""
    found: list[dict[str, Any]] = []
    columns = (NOTES.c.time, FINDINGS.c.value, NOTES.c.text)
    query = select(*columns).join(FINDINGS, FINDINGS.c.id == NOTES.c.finding)
    query = query.where(FINDINGS.c.kind == "event", NOTES.c.author == author, NOTES.c.text != "")
    with store.reading() as connection:
        for begin in range(0, len(events), 500):
            some = query.where(FINDINGS.c.value.in_(events[begin : begin + 500]))
            found += [dict(row) for row in connection.execute(some).mappings()]
    return found


def _erase_contests(connection: Connection, events: Sequence[str]) -> int:
    number = 0
    for begin in range(0, len(events), 500):
        values = events[begin : begin + 500]
        these = select(FINDINGS.c.id).where(
            FINDINGS.c.kind == "event", FINDINGS.c.value.in_(values)
        )
        words = NOTES.c.author == "worker", NOTES.c.text != "", NOTES.c.finding.in_(these)
        number += connection.execute(update(NOTES).where(*words).values(text="")).rowcount
    return number
