"""Simulating a draft: recorded traffic, judged anew by the policy in force and by the draft.

Events are judged one by one, as destinations; what was only counted, as far as the record can
tell (`supposing`). The policy in force is asked too, because the record holds what it or an older
one said then: what applying the draft changes is the difference to what is in force now.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from sovproxy.decide.destination import ChosenBy, Destination
from sovproxy.decide.facts import NOWHERE
from sovproxy.decide.normalise import read_address, read_destination
from sovproxy.decide.words import Action
from sovproxy.events.event import EventKind
from sovproxy.store import counting, queries
from sovproxy.store.replaying import Recording
from sovproxy.store.times import from_microseconds
from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.usecases.policy.simulation import (
    DEFAULT_RANGE,
    MAX_EVENTS,
    MAX_LINES,
    MAX_QUESTIONS,
    MAX_RANGE,
    MAX_SECONDS,
    Example,
    InvalidSimulation,
    Move,
    NotTold,
    Said,
    Share,
    Simulation,
    SimulationInput,
    Takeover,
)
from sovproxy.usecases.policy.supposing import Pair, Side, Supposer, Untold, weigh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sovproxy.decide.decider import Decider
    from sovproxy.decide.destination import Unreadable
    from sovproxy.decide.facts import Place
    from sovproxy.decide.policy import Policy
    from sovproxy.decide.verdict import Verdict
    from sovproxy.events.event import Event
    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter
    from sovproxy.store.queries import Place as EventPlace
    from sovproxy.store.replaying import Recorded
    from sovproxy.store.sorts import Sort
    from sovproxy.usecases.policy.judging import Judge


class _Asked(NamedTuple):
    """What is judged once, however often it occurs."""

    host: str
    address: str
    port: int
    group: str


class _Answer(NamedTuple):
    """Both verdicts on a question."""

    now: Verdict
    draft: Verdict
    destination: Destination | Unreadable


class _Seen(NamedTuple):
    """Connections that were recorded; `client` is None for what was only counted."""

    recorded: Action
    group: str
    service: str
    number: int
    client: str | None


@dataclass(slots=True)
class _Line:
    """A share that is being added up."""

    connections: int = 0
    stricter: int = 0
    milder: int = 0
    counted: int = 0
    clients: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Sums:
    """Everything that is added up while traffic is replayed."""

    moves: Counter[tuple[Action, Action]] = field(default_factory=Counter)
    recorded: Counter[tuple[Action, Action]] = field(default_factory=Counter)
    rules: Counter[tuple[Side, Side]] = field(default_factory=Counter)
    groups: dict[str, _Line] = field(default_factory=dict)
    services: dict[str, _Line] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    not_told: Counter[Untold] = field(default_factory=Counter)
    events: int = 0
    counted: int = 0
    excepted: int = 0
    unresolved: int = 0
    examples: dict[tuple[Side, Side, str], tuple[EventPlace, _Answer]] = field(default_factory=dict)

    def add(self, pair: Pair, seen: _Seen) -> None:
        """Add connections on which the two policies say what is in `pair`."""
        now, draft = pair
        number, client = seen.number, seen.client
        self.moves[now.action, draft.action] += number
        self.recorded[seen.recorded, draft.action] += number
        step = draft.action.strictness - now.action.strictness
        if now != draft:
            self.rules[now, draft] += number
        for lines, name in ((self.groups, seen.group), (self.services, seen.service)):
            line = lines.setdefault(name, _Line())
            line.connections += number
            line.stricter += number if step > 0 else 0
            line.milder += number if step < 0 else 0
            if step and client is None:
                line.counted += number
            elif step and client:
                line.clients.add(client)
        if step and client:
            self.clients.add(client)


class Replay:
    """One simulation: the draft, the policy in force, and the time that is left."""

    def __init__(
        self,
        judge: Judge,
        draft: Policy,
        asked: SimulationInput,
        now: datetime,
        *,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = MAX_SECONDS,
    ) -> None:
        """Raises InvalidSimulation for a range that is too long."""
        self._judge = judge
        self._deciders: tuple[Decider, Decider] = judge.decider, judge.under(draft)
        self._asked = asked
        self.until = asked.until or now
        self.since = self._begin = asked.since or self.until - DEFAULT_RANGE
        if not self.since < self.until <= self.since + MAX_RANGE:
            raise InvalidSimulation(f"a range of at most {MAX_RANGE.days} days is wanted")
        self.at = asked.at or now
        self._moment = self.at.timestamp()
        self._clock = clock
        self._deadline = clock() + seconds
        self._answers: dict[_Asked, _Answer] = {}
        self._sums = _Sums()
        self._cut = False

    def run(self, store: Store) -> Simulation:
        """Replay the traffic. Raises StoreUnavailable."""
        for event in self._events(store):
            self._add_event(event)
        self._add_counted(store)
        return self._result(self._examples(store))

    @property
    def _asks_for_decisions(self) -> bool:
        return not self._asked.kind or EventKind.DECISION in self._asked.kind

    def _wanted(self) -> Filter:
        fields = {name: getattr(self._asked, name) for name in FilterInput.model_fields}
        wanted = FilterInput.model_construct(**fields).to_filter()
        return replace(wanted, since=self.since, until=self.until, kind=(EventKind.DECISION,))

    def _events(self, store: Store) -> Iterator[Recorded]:
        """Events, newest first, until there are no more or enough was done."""
        if not self._asks_for_decisions:
            return
        for number, page in enumerate(Recording(store, self._wanted()).pages()):
            if number and self._is_enough():
                self._cut = True
                return
            self.since = from_microseconds(page[-1].place.time)
            yield from page
        self.since = self._begin

    def _is_enough(self) -> bool:
        return (
            self._clock() > self._deadline
            or self._sums.events >= MAX_EVENTS
            or len(self._answers) >= MAX_QUESTIONS
        )

    def _add_event(self, event: Recorded) -> None:
        sort, client = event.sort, event.client
        answer = self._answer(event)
        sums = self._sums
        sums.events += 1
        now, draft = (Side(said.action, said.rule) for said in answer[:2])
        if now.action is not draft.action:
            if self._is_excepted(event, answer):
                sums.excepted += 1
                draft = now
            elif not event.address and answer.now.action.stops and not draft.action.stops:
                sums.unresolved += 1
        service = answer.draft.service or answer.now.service
        name = service.id if service else sort.service
        sums.add(Pair(now, draft), _Seen(Action(sort.action), sort.group, name, 1, client))
        if now.action is not draft.action:
            kind = (now, draft, name or event.host)
            if kind not in sums.examples and len(sums.examples) < self._asked.examples:
                sums.examples[kind] = (event.place, answer)

    def _is_excepted(self, event: Recorded, answer: _Answer) -> bool:
        """Whether exceptions in force make both policies do the same."""
        exceptions = self._judge.exceptions
        if not exceptions.exist:
            return False
        who, group = (event.client,), event.sort.group
        lifted = [
            exceptions.lift(verdict, answer.destination, who, group, self._moment)
            for verdict in answer[:2]
        ]
        return all(verdict.passes for verdict in lifted)

    def _answer(self, event: Recorded) -> _Answer:
        asked = _Asked(event.host, event.address, event.port, event.sort.group)
        found = self._answers.get(asked)
        if found is None:
            found = self._answers[asked] = self._judge_anew(asked, event.sort)
        return found

    def _judge_anew(self, asked: _Asked, sort: Sort) -> _Answer:
        """Judge by both policies. The record does not say who chose the address: whoever makes the
        policy in force say what was recorded, else the node."""
        destination = read_destination(asked.host or asked.address)
        place = NOWHERE
        if isinstance(destination, Destination):
            destination = destination._replace(port=asked.port)
            if asked.host and (address := read_address(asked.address)):
                destination = destination.at(address, ChosenBy.NODE)
            place = self._judge.geo.place(destination.address) if destination.address else NOWHERE
        found = self._both(destination, place, asked.group)
        if not isinstance(destination, Destination) or not (asked.host and asked.address):
            return found
        recorded = (sort.action, sort.rule)
        if recorded != (found.now.action, found.now.rule):
            chosen = destination.at(destination.address, ChosenBy.CLIENT)
            other = self._both(chosen, place, asked.group)
            if recorded == (other.now.action, other.now.rule):
                return other
        return found

    def _both(self, destination: Destination | Unreadable, place: Place, group: str) -> _Answer:
        now, draft = (
            decider.decide(destination, place, self._moment, group) for decider in self._deciders
        )
        return _Answer(now, draft, destination)

    def _examples(self, store: Store) -> list[Example]:
        wanted = list(self._sums.examples.values())
        events = queries.events_at(store, [place for place, _ in wanted])
        return [_example(events[place], answer) for place, answer in wanted if place in events]

    def _add_counted(self, store: Store) -> None:
        wanted = self._wanted()
        if wanted.fits_no_rollup or not self._asks_for_decisions:
            return
        policies = self._deciders[0].policy, self._deciders[1].policy
        judge = self._judge
        supposer = Supposer(judge.atlas, judge.catalogue, policies, self._moment)
        found = ((sort, n) for sort, n in counting.counted(store, wanted) if sort.rollup)
        for (look, action, _rule), number in weigh(found).items():
            self._sums.counted += number
            late = self._clock() > self._deadline
            told = Untold.TIME if late else supposer.pair(look)
            self._cut = self._cut or late
            if isinstance(told, Untold):
                self._sums.not_told[told] += number
            else:
                seen = _Seen(Action(action), look.group, look.service, number, None)
                self._sums.add(told, seen)

    def _result(self, examples: list[Example]) -> Simulation:
        sums, (now, draft) = self._sums, (item.policy for item in self._deciders)
        stricter = sum(n for (a, b), n in sums.moves.items() if b.strictness > a.strictness)
        milder = sum(n for (a, b), n in sums.moves.items() if b.strictness < a.strictness)
        return Simulation(
            policy=now.id,
            digest=now.version,
            draft=draft.version,
            since=self.since,
            until=self.until,
            at=self.at,
            connections=sums.events + sums.counted,
            events=sums.events,
            counted=sums.counted,
            changed=stricter + milder,
            stricter=stricter,
            milder=milder,
            clients=len(sums.clients),
            excepted=sums.excepted,
            unresolved=sums.unresolved,
            not_told=[NotTold(why=why, number=n) for why, n in sums.not_told.most_common()],
            moves=_moves(sums.moves),
            recorded=_moves(sums.recorded),
            groups=_shares(sums.groups),
            services=_shares(sums.services),
            rules=_takeovers(sums.rules),
            examples=examples,
            regrouped=_regrouped(now, draft),
            cut=self._cut,
        )


def _moves(found: Counter[tuple[Action, Action]]) -> list[Move]:
    ordered = sorted(found.items(), key=lambda item: [side.strictness for side in item[0]])
    return [Move(before=a, after=b, number=number) for (a, b), number in ordered]


def _shares(found: dict[str, _Line]) -> list[Share]:
    shares = [
        Share(
            name=name,
            connections=line.connections,
            changed=line.stricter + line.milder,
            stricter=line.stricter,
            milder=line.milder,
            clients=len(line.clients),
            counted=line.counted,
        )
        for name, line in found.items()
    ]
    return sorted(shares, key=lambda share: (-share.changed, -share.connections, share.name))[
        :MAX_LINES
    ]


def _takeovers(found: Counter[tuple[Side, Side]]) -> list[Takeover]:
    return [
        Takeover(
            rule=now.rule,
            action=now.action,
            new_rule=draft.rule,
            new_action=draft.action,
            number=number,
        )
        for (now, draft), number in found.most_common(MAX_LINES)
    ]


def _example(event: Event, answer: _Answer) -> Example:
    now, draft = (
        Said(action=said.action, rule=said.rule, reason=said.reason) for said in answer[:2]
    )
    return Example(
        event=event.id,
        time=event.time,
        host=event.host,
        address=event.address,
        group=event.group,
        service=event.service,
        recorded=Said(action=event.action, rule=event.rule, reason=event.reason),
        now=now,
        draft=draft,
    )


def _regrouped(now: Policy, draft: Policy) -> list[str]:
    """The groups that have other networks or members in the draft, or are new or gone there."""
    before, after = ({group.id: group for group in policy.groups} for policy in (now, draft))
    return sorted(id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_))
