"""Certificates that a node shows to clients: one name each, valid for days, remembered a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from sovproxy.ca.certificates import BACKDATED, make_leaf
from sovproxy.ca.keys import Key, kind_of, make_key

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from sovproxy.ca.certificates import Signer

LASTS = timedelta(days=3)
RENEWED = timedelta(days=1)
"""A leaf that ends sooner than this is made anew."""

REMEMBERED = 1000
"""Leaves kept in memory; beyond that the one unused for longest goes."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node shows as `host`: certificate with key, and the CAs between it and the root."""

    host: str
    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...]


class Signers(Protocol):
    """Who signs for which host."""

    @property
    def key(self) -> Key:
        """The key that all of them sign with."""

    def find(self, host: str) -> Signer | None:
        """The CA that may speak for `host`, or None."""


class Leaves[S: Signers]:
    """Makes leaves of one set of CAs. Safe to share between threads.

    Their key is made here, kept in memory only, and is not that of the CAs. `above` are the
    certificates between those CAs and the root.
    """

    def __init__(self, signers: S, above: tuple[x509.Certificate, ...] = ()) -> None:
        self.signers = signers
        self._above = above
        self._key = make_key(kind_of(signers.key))
        self._made: OrderedDict[str, Identity] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, host: str, now: datetime) -> Identity | None:
        """An identity for `host`; None where no issuing CA may speak for it now."""
        with self._lock:
            known = self._made.get(host)
            if known and now + RENEWED < known.certificate.not_valid_after_utc:
                self._made.move_to_end(host)
                return known
            made = self._make(host, now)
            if made:
                self._made[host] = made
                if len(self._made) > REMEMBERED:
                    self._made.popitem(last=False)
            return made

    def may_name(self, host: str, now: datetime) -> bool:
        """Whether there is an identity for `host`, without making one."""
        signer = self.signers.find(host)
        return signer is not None and _is_valid(signer.certificate, now)

    def _make(self, host: str, now: datetime) -> Identity | None:
        signer = self.signers.find(host)
        if signer is None or not _is_valid(signer.certificate, now):
            return None
        leaf = make_leaf(signer, self._key, host, (now - BACKDATED, now + LASTS))
        return Identity(host, leaf, self._key, (signer.certificate, *self._above))


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
