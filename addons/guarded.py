"""A hook that fails must not let a listed service slip through."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Protocol

from mitmproxy import exceptions

from sovproxy.events.spool import SpoolUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Fallible(Protocol):
    """An addon that says what becomes of a flow whose hook failed."""

    async def failed(self, hook: str, subject: object) -> None:
        """Carry out what is to be done with `subject` when `hook` failed: close it first."""

    def unrecorded(self, subject: object) -> None:
        """Close `subject`: what was decided cannot be put on record, so nobody is told it."""


def guarded[Addon: Fallible, Subject](
    hook: Callable[[Addon, Subject], Awaitable[None]],
) -> Callable[[Addon, Subject], Awaitable[None]]:
    """Wrap a hook: what it raises is handed to the addon's `failed`, not to mitmproxy.

    mitmproxy would log it and let the flow go on.
    """

    @functools.wraps(hook)
    async def wrapped(addon: Addon, subject: Subject) -> None:
        try:
            await hook(addon, subject)
        except exceptions.AddonHalt:
            raise
        except SpoolUnwritable as error:
            log.warning("a connection is closed, it cannot be put on record: %s", error)
            addon.unrecorded(subject)
        except Exception:
            name = getattr(hook, "__name__", "?")
            log.exception("hook %s failed", name)
            await _fall_back(addon, name, subject)

    return wrapped


async def _fall_back(addon: Fallible, hook: str, subject: object) -> None:
    try:
        await addon.failed(hook, subject)
    except Exception:
        log.exception("after hook %s failed, so did falling back; it stays closed", hook)
