"""How a CA stands: what it permits, what it lacks, when it ends, and what is to be done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes

from sovproxy.ca.certificates import common_name
from sovproxy.ca.issuing import bounds_of
from sovproxy.ca.keys import UnusableKey, kind_of
from sovproxy.ca.wanted import Wanted, find_wanted
from sovproxy.errors import SovproxyError
from sovproxy.usecases.ca.inspection import read_inspecting_in
from sovproxy.usecases.ca.life import within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

    from sovproxy.ca.inspecting import Inspecting
    from sovproxy.ca.issuing import Issuing
    from sovproxy.ca.names import Scope
    from sovproxy.usecases.ca.folder import CaFolder
    from sovproxy.usecases.policy.judging import Judge

ROOT_WARNING: Final = timedelta(days=180)
"""A root that ends sooner is told of: workstations need the next one before."""

NOT_INSPECTING: Final = "`inspection: full`, but nothing that passes is decrypted"
_SHOWN = 5
_NONE: Final = frozenset[str]()


@dataclass(frozen=True, slots=True)
class State:
    """A CA at one time. `key` is `here`, `locked` (a passphrase opens it) or `elsewhere`.

    `missing` are names that the policy may stop and no client would believe us; `surplus` those
    that it no longer stops. `problems` are sentences for the admin; those about files that were
    refused are `broken` too. `inspecting` is the CA for what passes, under `inspection: full`.
    """

    root: x509.Certificate | None
    issuing: Issuing | None
    key: str
    wanted: Wanted
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    problems: tuple[str, ...]
    broken: tuple[str, ...] = ()
    inspecting: Inspecting | None = None


def wanted_by(judge: Judge, now: datetime) -> Wanted:
    """The names that the policy in force may stop."""
    policy, atlas = judge.policy, judge.atlas
    found = find_wanted(policy, atlas.listings, judge.catalogue.powers, now.timestamp())
    return replace(found, never=judge.undecrypted) if policy.full else found


def look(folder: CaFolder, wanted: Wanted, now: datetime) -> State:
    """Read the files and compare them with what is wanted. Raises nothing: problems are told."""
    problems: list[str] = []
    root = issuing = inspecting = None
    try:
        root = folder.root() if folder.has_root else None
        if root and folder.issuing_file.exists():
            issuing = folder.issuing(root)
    except (SovproxyError, OSError) as error:
        problems.append(str(error))
    state = _compare(folder, root, issuing, wanted, now, problems)
    if wanted.never is None:
        return state
    problem = ""
    try:
        inspecting = read_inspecting_in(folder, wanted.never)
    except (SovproxyError, OSError) as error:
        problem = str(error)
    if inspecting and inspecting.ends <= now:
        problem = f"{folder.inspection_file} ended on {inspecting.ends.date()}"
    told = (f"{NOT_INSPECTING}: {problem}",) if problem else ()
    return replace(state, inspecting=inspecting, problems=state.problems + told)


def _compare(  # noqa: PLR0917  # what there is, what is wanted, and when
    folder: CaFolder,
    root: x509.Certificate | None,
    issuing: Issuing | None,
    wanted: Wanted,
    now: datetime,
    problems: list[str],
) -> State:
    have, within_root = names_in(issuing.scopes if issuing else ()), wanted.names
    if root:
        within_root = frozenset(
            name for scope in within(wanted.scopes, bounds_of(root)) for name in scope.permitted
        )
    missing, beyond = within_root - have, wanted.names - within_root
    told = [
        *problems,
        *_of_root(folder, root, now),
        *_of_issuing(issuing, now, needed=bool(root and wanted.names)),
        *_of_names(missing if root else _NONE, "not permitted by the CA yet: `sovproxy ca renew`"),
        *_of_names(beyond, "outside the root's own bounds; a new root is needed for them"),
    ]
    return State(
        root=root,
        issuing=issuing,
        key=_where_key_is(folder),
        wanted=wanted,
        missing=tuple(sorted(missing | beyond)),
        surplus=tuple(sorted(have - within_root)),
        problems=tuple(told),
        broken=tuple(problems),
    )


def must_renew(state: State, now: datetime) -> bool:
    """Whether new issuing CAs should be made: for other names, or because a third is left."""
    root, issuing = state.root, state.issuing
    if root is None:
        return False
    wanted = within(state.wanted.scopes, bounds_of(root))
    if issuing is None or _spaces(issuing.scopes) != _spaces(wanted):
        return True
    late = now > issuing.ends - (issuing.ends - issuing.begins) / 3
    return late and issuing.ends < root.not_valid_after_utc


def _spaces(scopes: tuple[Scope, ...]) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What scopes say without their labels, which certificates shorten."""
    return {(scope.permitted, scope.excluded) for scope in scopes}


def describe(state: State) -> dict[str, object]:
    """A CA for machines to read: no key is in it."""
    root, issuing = state.root, state.issuing
    bounds = bounds_of(root) if root else None
    return {
        "root": root
        and {
            "name": common_name(root.subject),
            "kind": _kind(root),
            "sha256": root.fingerprint(hashes.SHA256()).hex(":"),
            "not_after": root.not_valid_after_utc.isoformat(),
            "key": state.key,
            "permits": len(bounds.permitted) if bounds else None,
        },
        "issuing": issuing
        and {
            "certificates": len(issuing.certificates),
            "not_before": issuing.begins.isoformat(),
            "not_after": issuing.ends.isoformat(),
            "permits": len(names_in(issuing.scopes)),
            "largest_bytes": issuing.largest,
        },
        "inspection": state.inspecting
        and {
            "not_after": state.inspecting.ends.isoformat(),
            "never": len(state.inspecting.never),
        },
        "wanted": len(state.wanted.names),
        "missing": list(state.missing),
        "surplus": list(state.surplus),
        "left_out": list(state.wanted.left_out),
        "rules_by_address": list(state.wanted.by_address),
        "problems": list(state.problems),
    }


def some(names: tuple[str, ...]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def names_in(scopes: Iterable[Scope]) -> frozenset[str]:
    """The base names that scopes permit, each once."""
    return frozenset(name for scope in scopes for name in scope.permitted)


def _kind(root: x509.Certificate) -> str:
    try:
        return kind_of(root.public_key()).value
    except UnusableKey:
        return "other"


def _where_key_is(folder: CaFolder) -> str:
    try:
        locked = folder.key_is_locked
    except (OSError, SovproxyError):
        return "elsewhere"
    here = "locked" if locked else "here"
    return here if folder.key_is_here else "elsewhere"


def _of_root(folder: CaFolder, root: x509.Certificate | None, now: datetime) -> list[str]:
    told = []
    if root is None and not folder.has_root:
        told.append("there is no CA yet: `sovproxy ca init` makes one")
    if root and root.not_valid_after_utc < now + ROOT_WARNING:
        told.append(f"the root ends on {root.not_valid_after_utc:%Y-%m-%d}; make the next one")
    if folder.old_authority.exists():
        told.append(
            f"{folder.old_authority} is an unconstrained CA of an earlier version; it is not used. "
            "Take its certificate off the workstations, and delete the files"
        )
    return told


def _of_issuing(issuing: Issuing | None, now: datetime, *, needed: bool) -> list[str]:
    if issuing is None:
        return ["there is no issuing CA: no prompt over TLS"] if needed else []
    if issuing.ends <= now:
        return [f"the issuing CAs ended on {issuing.ends:%Y-%m-%d}: no prompt over TLS"]
    return []


def _of_names(names: frozenset[str], what: str) -> list[str]:
    if not names:
        return []
    told = some(tuple(sorted(names)))
    return [f"names that are {what}; until then they get a refused CONNECT, no prompt: {told}"]
