"""Who a worker is to the API, without an account: a token that nodes sign for their clients.

The API makes a key for each month and hands it to the nodes with the state of the fleet; a node
signs a token (JWT, HS256) for a client that asks it, and the API verifies it by the key alone. A
token is good for an hour. It names the client's pseudonyms: the present one, and those of months
before, so that what is held about the person can be shown whole. Nobody keeps that list.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sovproxy.events.event import CLIENT_PATTERN
from sovproxy.events.pseudonym import Pseudonyms, end_of_month, months_ahead
from sovproxy.usecases.access.tokens import Principal, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from joserfc.jwk import GuestProtocol

LIFETIME: Final = timedelta(hours=1)
SKEW: Final = timedelta(minutes=2)
"""How far the clocks of node and API may differ."""

OVERLAP: Final = timedelta(days=1)
"""How long the key of a month is good before the month begins and after it has ended."""

MAX_FORMER: Final = 19
"""Former pseudonyms in a token, the latest: with the present one, as many as a search takes."""

MAX_TOKEN: Final = 4096
ALGORITHM: Final = "HS256"
TYPE: Final = "sovproxy-worker+jwt"
WORKER: Final = "worker"
"""Public id and name of all who come with such a token: who it is, only the pseudonym says."""

Client = Annotated[str, Field(pattern=CLIENT_PATTERN, min_length=1)]


class _Claims(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sub: Client
    group: Annotated[str, Field(max_length=100)]
    former: Annotated[list[Client], Field(max_length=MAX_FORMER)]
    iat: Annotated[int, Field(ge=0)]
    exp: Annotated[int, Field(ge=0)]


def mint(
    keys: Mapping[str, bytes], client: str, group: str, former: Sequence[str], now: datetime
) -> tuple[str, datetime] | None:
    """A token for a client and when it ends; None without a key of the present month.

    `client` is its pseudonym, `former` its other ones, oldest first.
    """
    month = now.astimezone(UTC).strftime("%Y-%m")
    if month not in keys:
        return None
    until = now + LIFETIME
    others = [one for one in former if one != client][-MAX_FORMER:]
    times = {"iat": int(now.timestamp()), "exp": int(until.timestamp())}
    claims: dict[str, Any] = {"sub": client, "group": group, "former": others, **times}
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": month}
    return jwt.encode(header, claims, OctKey.import_key(keys[month])), until


class WorkerKeys:
    """The API's keys in `path` (mode 0600), one for each month; those that are over are dropped."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._file = Pseudonyms(path, OVERLAP.days, lambda: clock().timestamp())
        self._keys: dict[str, bytes] = {}

    def hand_out(self, now: datetime) -> dict[str, bytes]:
        """The keys that are good at `now` and the next month's, by month. Raises UnusableKeys."""
        months = months_ahead(now)
        if not set(months) <= self._keys.keys():
            self._keys = self._file.hand_out(months)
        return {month: key for month, key in self._keys.items() if _is_kept(month, now)}

    def principal(self, token: str, now: datetime) -> Principal | None:
        """Whose token this is; None if it is forged, over, or not begun. Raises UnusableKeys."""
        claims = self._claims(token, now)
        if claims is None or not _is_in_force(claims, now):
            return None
        return Principal(
            WORKER,
            WORKER,
            Role.WORKER,
            client=claims.sub,
            group=claims.group,
            former=tuple(claims.former),
        )

    def _claims(self, token: str, now: datetime) -> _Claims | None:
        if len(token) > MAX_TOKEN:
            return None
        keys = {month: key for month, key in self.hand_out(now).items() if _is_good(month, now)}

        def choose(signature: GuestProtocol) -> OctKey:
            header = signature.headers()
            if header.get("typ") != TYPE:
                raise ValueError("another type of token")
            return OctKey.import_key(keys[str(header.get("kid"))])

        try:
            return _Claims.model_validate(jwt.decode(token, choose, [ALGORITHM]).claims)
        except (JoseError, ValidationError, ValueError, TypeError, KeyError):
            return None


def _is_kept(month: str, now: datetime) -> bool:
    return now < end_of_month(month) + OVERLAP


def _is_good(month: str, now: datetime) -> bool:
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return begin - OVERLAP <= now < end_of_month(month) + OVERLAP


def _is_in_force(claims: _Claims, now: datetime) -> bool:
    at, skew = now.timestamp(), SKEW.total_seconds()
    lasts = claims.exp - claims.iat
    return lasts <= LIFETIME.total_seconds() and claims.iat - skew <= at < claims.exp
