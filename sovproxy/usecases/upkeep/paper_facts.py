"""What papers report of the policy in force, the settings, the particulars and the program."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import BaseModel
from sqlalchemy import make_url

from sovproxy import __version__
from sovproxy.decide.facts import NOWHERE
from sovproxy.decide.normalise import read_destination
from sovproxy.decide.words import Action
from sovproxy.events import pseudonym
from sovproxy.events.event import Event, Rollup
from sovproxy.events.spool import SpoolLimits
from sovproxy.papers.facts import Fact
from sovproxy.papers.particulars import RISKS, Rating
from sovproxy.policy import zones
from sovproxy.receivers import FileReceiver, SyslogReceiver
from sovproxy.store.chain import FIELDS
from sovproxy.store.retention import ROLLUP_DAYS
from sovproxy.usecases.access import sessions
from sovproxy.usecases.access.tokens import MAY_SEE_EVENTS, Role
from sovproxy.usecases.analysis import resolving_clients
from sovproxy.usecases.upkeep.keeping import kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sovproxy.decide.policy import Group, Policy
    from sovproxy.papers.facts import Value
    from sovproxy.papers.particulars import Particulars
    from sovproxy.policy.load import Checked
    from sovproxy.receivers import Receiver
    from sovproxy.settings import Settings
    from sovproxy.usecases.policy.judging import Judge

SMALL_GROUP: Final = 10
"""Fewer people than this are told apart too easily in counts by group: a bound of ours."""

SEES_EXCEPTIONS: Final = (Role.ADMIN, Role.ANALYST, Role.AUDITOR)
SEES_AUDIT: Final = (Role.ADMIN, Role.AUDITOR)
SERVES_PERSONS: Final = (Role.ADMIN,)
KEPT_BY_HAND: Final = ("accounts", "views", "policies", "nodes")
"""What no job deletes: docs/privacy.md."""

CONTENT_FIELDS: Final = frozenset({"path", "query", "url", "body", "cookie", "user_agent", "title"})
"""Names that a field with contents would have. None of them is in an event."""

EXTENSION_SENDS: Final = ("acknowledgement", "contest", "exception", "my-data", "question", "room")
"""What the extension sends after a click. A test compares it with the extension's code."""

EXTENSION_REPORTS: Final = ("meetings",)
"""What it sends without a click, where its managed settings ask for that: never who."""


def policy_facts(judge: Judge, checked: Checked, number: int, now: datetime) -> Iterator[Fact]:
    """What the policy in force says; `number` is its version in the history, or 0."""
    policy, text = checked.policy, checked.text
    organisation = policy.organisation
    yield Fact("policy.id", policy.id)
    yield Fact("policy.version", policy.version)
    yield Fact("policy.number", number)
    yield Fact("policy.title", dict(policy.title))
    yield Fact("policy.organisation.name", dict(organisation.name))
    contact = organisation.contact_email, organisation.contact_phone, organisation.contact_url
    yield Fact("policy.organisation.contact", tuple(filter(None, contact)))
    yield Fact("policy.trust_zone", text.trust_zone)
    yield Fact("policy.inspection", policy.inspection)
    full = policy.full
    shipped = tuple(judge.atlas.undecrypted) if full else ()
    never = full.never if full else ()
    yield Fact("policy.full.purpose", dict(full.purpose) if full else {})
    yield Fact("policy.full.never", never)
    yield Fact("policy.full.read", tuple(item for item in shipped if item not in never))
    yield Fact("policy.on_error", str(policy.on_error))
    yield Fact("policy.default", str(policy.default))
    yield Fact("policy.trust_recalled", policy.trust_recalled)
    yield Fact("policy.acknowledgement.lasts", policy.acknowledgement_seconds)
    yield Fact("policy.exceptions.longest", policy.exception_days)
    yield Fact("policy.retention.events", policy.retention_days)
    yield Fact("policy.internal.domains", policy.internal_domains)
    yield from _group_facts(policy)
    yield from _service_facts(judge, policy, now)


def _group_facts(policy: Policy) -> Iterator[Fact]:
    small = [group.id for group in policy.groups if 0 < _people(group) < SMALL_GROUP]
    special = [rule.id for rule in policy.rules if rule.condition.groups]
    named = [group.id for group in policy.groups if group.members]
    yield Fact("policy.groups", tuple(group.id for group in policy.groups))
    yield Fact("policy.groups.small", tuple(small), "policy groups")
    yield Fact("policy.groups.named", tuple(named), "policy groups.<id>.members")
    yield Fact("policy.groups.rules", tuple(special), "policy rules[].when.group")


def _people(group: Group) -> int:
    """How many clients a group has at most, by its members and the size of its networks."""
    return len(group.members) + sum(ip_network(item).num_addresses for item in group.networks)


def _service_facts(judge: Judge, policy: Policy, now: datetime) -> Iterator[Fact]:
    """The services of the catalogue by what the policy does with them at present, by name."""
    actions = _actions(judge, policy, now)
    categories = set[str]()
    for action in (Action.BLOCK, Action.WARN):
        ids = [service for service, found in actions.items() if found is action]
        names = sorted((judge.atlas.services[item].name for item in ids), key=str.casefold)
        categories |= {judge.atlas.services[item].category for item in ids}
        yield Fact(f"policy.{action}", tuple(names), f"policy rules ({action})")
    yield Fact("policy.stopped", tuple(sorted(categories)), "policy rules (block, warn)")
    later = [point for point in policy.turning_points if point > now.timestamp()]
    turn: Value = datetime.fromtimestamp(later[0], UTC).date() if later else ""
    yield Fact("policy.phases.next", turn, "policy rules[].phases")


def _actions(judge: Judge, policy: Policy, now: datetime) -> dict[str, Action]:
    """The strictest action for any host of each service, for a client of no group.

    What only an address can tell (a rule by location or network) is left out.
    """
    decider, found = judge.under(policy), dict[str, Action]()
    for host, service in _hosts(judge).items():
        verdict = decider.decide(read_destination(host), NOWHERE, now.timestamp())
        if verdict.service is None or verdict.service.id != service:
            continue
        before = found.get(service, Action.ALLOW)
        found[service] = max(before, verdict.action, key=lambda item: item.strictness)
    return found


def _hosts(judge: Judge) -> dict[str, str]:
    """The id of the service by each host that the catalogue lists; `*.zoom.us` is `zoom.us`."""
    named = (item for item in judge.atlas.listings if item.service and _is_name(item.pattern))
    return {item.pattern.removeprefix("*."): item.service.id for item in named if item.service}


def _is_name(pattern: str) -> bool:
    """Whether a listing is of a host, and not of a prefix or a network."""
    return "/" not in pattern and not pattern.startswith("AS") and "." in pattern


def settings_facts(settings: Settings) -> Iterator[Fact]:
    """What the settings say; never a password or a secret."""
    url = make_url(settings.effective_store_url)
    where = "settings store_url"
    yield Fact("settings.store.kind", url.get_backend_name(), where)
    yield Fact("settings.store.host", url.host or "", where)
    yield Fact("settings.data_dir", str(settings.data_dir))
    yield Fact("settings.proxy_mode", settings.proxy_mode)
    yield Fact("settings.oidc_issuer", urlsplit(settings.oidc_issuer).hostname or "")
    yield Fact("settings.oidc_acr_values", tuple(settings.oidc_acr_values.split()))
    yield Fact("settings.fleet_url.plain", _is_plain(settings.fleet_url), "settings fleet_url")
    yield Fact("settings.public_url.plain", _is_exposed(settings), "settings public_url, api_host")
    yield Fact("settings.visio_url", urlsplit(settings.visio_url).hostname or "")
    yield Fact("settings.visio_email_domains", settings.visio_email_domains)
    yield Fact("settings.forward", tuple(receiver.name for receiver in settings.forward))


def receiver_facts(receiver: Receiver, retention_days: int) -> Iterator[Fact]:
    """What the settings say of one receiver, beside how long events are kept."""
    key = f"settings.forward.{receiver.name}"
    where = f"settings forward[{receiver.name}]"
    tls = isinstance(receiver, FileReceiver) or receiver.tls
    yield Fact(f"{key}.kind", receiver.kind, f"{where}.kind")
    yield Fact(f"{key}.where", receiver.where, f"{where}")
    yield Fact(f"{key}.protected", tls or _is_local(receiver), f"{where}.tls")
    yield Fact(f"{key}.action", tuple(map(str, receiver.action)), f"{where}.action")
    days = _file_days(receiver)
    yield Fact(f"{key}.days", days, f"{where}.keep, max_hours")
    yield Fact(f"{key}.outlives", days > retention_days, f"{where}.keep, max_hours")


def _is_local(receiver: Receiver) -> bool:
    return isinstance(receiver, SyslogReceiver) and _is_loopback(receiver.host)


def _file_days(receiver: Receiver) -> int:
    """Days that a file receiver keeps what it wrote; 0 for others, -1 without end."""
    if not isinstance(receiver, FileReceiver):
        return 0
    if not receiver.max_hours:
        return -1
    return -(-receiver.max_hours * (receiver.keep + 1) // 24)


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_exposed(settings: Settings) -> bool:
    """Whether people reach the console without TLS from other machines."""
    if settings.public_url:
        return _is_plain(settings.public_url)
    return not _is_loopback(settings.api_host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def particulars_facts(particulars: Particulars, today: date) -> Iterator[Fact]:
    """What the administration has filled in, key by key; what is missing is empty."""
    for name in type(particulars).model_fields:
        value = getattr(particulars, name)
        if name == "recipients":
            yield from _recipient_facts(particulars)
        elif isinstance(value, BaseModel):
            yield from _part_facts(f"papers.{name}", value)
        else:
            yield Fact(f"papers.{name}", _plain(value))
    for risk in RISKS:
        rating = particulars.assessment.risks.get(risk, Rating())
        yield from _part_facts(f"papers.assessment.risks.{risk}", rating)
    yield from _judged_facts(particulars, today)


def _judged_facts(particulars: Particulars, today: date) -> Iterator[Fact]:
    """What follows from dates and countries."""
    review, given = particulars.assessment.review, particulars.notice.date
    late = bool(review and review < today)
    yield Fact("papers.assessment.late", late, "papers.yaml assessment.review")
    late = bool(given and given > today)
    yield Fact("papers.notice.late", late, "papers.yaml notice.date")
    outside = _is_outside(particulars.hosting.country)
    yield Fact("papers.hosting.outside", outside, "papers.yaml hosting.country")


def _is_outside(country: str | None) -> bool:
    return bool(country) and country not in zones.GROUPS["EEA"]


def _part_facts(key: str, part: BaseModel) -> Iterator[Fact]:
    for name in type(part).model_fields:
        if name != "risks":
            yield Fact(f"{key}.{name}", _plain(getattr(part, name)))


def _recipient_facts(particulars: Particulars) -> Iterator[Fact]:
    numbers = tuple(str(number) for number in range(1, len(particulars.recipients) + 1))
    yield Fact("papers.recipients", numbers)
    for number, recipient in zip(numbers, particulars.recipients, strict=True):
        key = f"papers.recipients.{number}"
        yield from _part_facts(key, recipient)
        yield Fact(f"{key}.outside", _is_outside(recipient.country))


def _plain(value: object) -> Value:
    """A value of the particulars as a fact; nothing is an empty text."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return {code: " ".join(str(text).split()) for code, text in value.items()}
    return value if isinstance(value, date) else str(value)


def retention_facts(retention_days: int) -> Iterator[Fact]:
    """How long each kind of data is kept: `retention.events.days`."""
    kinds = kept(retention_days)
    where = "sovproxy.usecases.upkeep.keeping.kept"
    yield Fact("program.kept", tuple(item.kind for item in kinds), where)
    yield Fact("program.kept_by_hand", KEPT_BY_HAND, "docs/privacy.md")
    for item in kinds:
        place = "policy retention.events" if item.set_by == "policy" else where
        yield Fact(f"program.kept.{item.kind}.days", item.days, f"{place} ({item.kind})")


def program_facts() -> Iterator[Fact]:
    """What this version of sovproxy does, whatever the settings say; each with its place."""
    event, rollup = dict(Event.model_fields), set(Rollup.model_fields)
    place = "sovproxy.events.event.Event"
    yield Fact("program.version", __version__, "sovproxy.__version__")
    yield Fact("program.event_fields", tuple(name for name in event if name != "id"), place)
    yield Fact("program.contents", _sorted(CONTENT_FIELDS.intersection(event)),
               f"{place} (contents)")  # fmt: skip
    yield Fact("program.rollup_persons", _sorted(rollup & {"client", "host", "address"}),
               "sovproxy.events.event.Rollup (persons)")  # fmt: skip
    yield Fact("program.pseudonym_bits", pseudonym.DIGEST_BYTES * 8,
               "sovproxy.events.pseudonym.DIGEST_BYTES")  # fmt: skip
    yield Fact("program.rotation", "month", "sovproxy.events.pseudonym.MONTH")
    yield Fact("program.rollup_days", ROLLUP_DAYS, "sovproxy.store.retention.ROLLUP_DAYS")
    spool = int(SpoolLimits().max_age_seconds)
    yield Fact("program.spool", spool, "sovproxy.events.spool.SpoolLimits")
    yield Fact("program.extension_sends", EXTENSION_SENDS, "docs/extension.md")
    yield Fact("program.extension_reports", EXTENSION_REPORTS, "docs/extension.md")
    yield Fact("program.audit_chain", FIELDS, "sovproxy.store.chain.FIELDS")
    yield Fact("program.directory", "node/directory", "sovproxy.fleet.directory")
    yield from _access_facts()


def _access_facts() -> Iterator[Fact]:
    """Who may see what, and how a pseudonym is resolved."""
    place = "sovproxy.usecases.analysis.resolving_clients"
    yield Fact("program.roles.events", _roles(MAY_SEE_EVENTS),
               "sovproxy.usecases.access.tokens.MAY_SEE_EVENTS")  # fmt: skip
    yield Fact("program.roles.exceptions", _roles(SEES_EXCEPTIONS), "GET /api/v1/exceptions")
    yield Fact("program.roles.persons", _roles(SERVES_PERSONS), "POST /api/v1/persons/requests")
    yield Fact("program.roles.audit", _roles(SEES_AUDIT), "GET /api/v1/audit")
    yield Fact("program.roles.ask", _roles(resolving_clients.REQUESTERS), f"{place}.REQUESTERS")
    yield Fact("program.roles.approve", _roles(resolving_clients.APPROVERS), f"{place}.APPROVERS")
    shown = _seconds(resolving_clients.SHOWN)
    yield Fact("program.resolution_shown", shown, f"{place}.SHOWN")
    yield Fact("program.session", _seconds(sessions.LIFETIME),
               "sovproxy.usecases.access.sessions.LIFETIME")  # fmt: skip


def _roles(roles: Iterable[Role]) -> tuple[str, ...]:
    return _sorted(map(str, roles))


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(words))


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
