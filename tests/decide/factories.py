"""Small catalogues, policies and places, built by hand: each test states only what it is about."""

from __future__ import annotations

from itertools import count

from sovproxy.decide.catalogue import Catalogue
from sovproxy.decide.decider import Decider
from sovproxy.decide.destination import ChosenBy, Destination
from sovproxy.decide.facts import Listing, Operator, Place, Power, Service, Source
from sovproxy.decide.policy import Condition, Phase, Policy, Rule
from sovproxy.decide.words import Action, Effect, PowerStatus, Verification

BOOK = Source("the tests' own book", "2026-01-02")
ZONE = frozenset({"FR", "DE", "NL"})
_numbers = count(1)


def operator(name="Acme", country="US", parents=(), **fields):
    fields = {"source": BOOK, "verification": Verification.VERIFIED, **fields}
    return Operator(name.lower(), name, country, parents=tuple(parents), **fields)


def service(name="Zoom", category="videoconference", run_by=None, stance="replace", **fields):
    run_by = run_by or operator(f"{name} Inc.")
    return Service(name.lower(), name, category, run_by, stance, **fields)


def listing(pattern, of=None, level=Verification.VERIFIED, **fields):
    """A claim on a host pattern, a prefix (`1.2.3.0/24`) or a network (`AS64500`)."""
    kind = "network" if pattern.startswith("AS") else "prefix" if "/" in pattern else "host"
    fields.setdefault("operator", of.operator if of else None)
    return Listing(pattern, kind, BOOK, level, of, **fields)


def power(name="CLOUD Act", country="US", status=PowerStatus.IN_FORCE, effect=Effect.DISCLOSE):
    key = f"{country.lower()}-{name.lower().replace(' ', '-')}"
    text = status.value.replace("_", " ")
    level = Verification.VERIFIED
    return Power(key, country, name, f"§ {name}", 2018, effect, status, text, BOOK, level)


def place(country="", asn=0, run_by=None, **fields):
    """What the databases say; the network's name is made up from its operator."""
    name = run_by.name if run_by else ""
    sources = {"country_source": Source("GeoIP", "2026-06-01"), "network_source": BOOK}
    fields = {"organisation": name, "registered": run_by.country if run_by else "", **fields}
    return Place(country=country, asn=asn, operator=run_by, **sources, **fields)


def rule(action=Action.BLOCK, *, name="", phases=None, **parts):
    """A rule with its condition's parts beside its own: `rule(services={"zoom"})`."""
    own = ("about", "alternative", "message", "trust_recalled")
    fields = {key: parts.pop(key) for key in own if key in parts}
    condition = Condition(**{key: frozenset(values) for key, values in parts.items()})
    always = (Phase(0.0, action),)
    return Rule(name or f"rule-{next(_numbers)}", condition, phases or always, **fields)


def policy(*rules, **fields):
    fields = {"trust_zone": ZONE, "default": Action.OBSERVE, **fields}
    return Policy("test-policy", "v1", rules=tuple(rules), **fields)


def catalogue(*listings, powers=(), others=()):
    """A catalogue of these listings, with their services, and `others` that have no listing."""
    known = {item.service.id: item.service for item in listings if item.service}
    known |= {item.id: item for item in others}
    return Catalogue.build(listings, known, {}, powers)


def decider(*rules, listings=(), powers=(), others=(), **fields):
    return Decider(catalogue(*listings, powers=powers, others=others), policy(*rules, **fields))


def by_client(host="", address=""):
    """A destination whose address the client chose."""
    return Destination(host, address, 443, ChosenBy.CLIENT)


def by_node(host, address):
    """A destination whose name the node resolved."""
    return Destination(host, address, 443, ChosenBy.NODE)
