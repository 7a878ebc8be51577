"""A rule is called covered only if the earlier one really takes everything that it looks at."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sovproxy.decide.catalogue import HostIndex
from sovproxy.decide.facts import NOWHERE, Listing, Place, Source
from sovproxy.decide.jurisdiction import assess
from sovproxy.decide.policy import Condition
from sovproxy.decide.question import Question, Reach, why_not
from sovproxy.decide.words import Standing, Verification
from sovproxy.policy.lint import covers

PATTERNS = ["*.example.org", "example.org", "a.example.org", "*.a.example.org"]
HOSTS = ["example.org", "a.example.org", "b.a.example.org", "other.example"]


VOCABULARIES = {
    "services": ["zoom", "ms-teams", "visio", "tchap"],
    "categories": ["videoconference", "messaging"],
    "stances": ["keep", "replace"],
    "operators": ["microsoft", "zoom-inc"],
    "control": ["US", "FR", "IE"],
    "location": ["US", "FR"],
    "standing": [Standing.ABROAD, Standing.SOVEREIGN],
    "groups": ["staff", "press"],
    "hosts": PATTERNS,
}


@st.composite
def related_conditions(draw):
    """A condition, and one that is mostly wider: parts dropped or enlarged, now and then others."""
    narrower, wider = {}, {}
    for part, values in VOCABULARIES.items():
        some = st.frozensets(st.sampled_from(values), max_size=2)
        narrower[part] = draw(some)
        wider[part] = draw(st.just(frozenset()) | some.map(narrower[part].union) | some)
    return Condition(**wider), Condition(**narrower)


@st.composite
def questions(draw, known, patterns):
    """One identity of a destination, as the decider would ask about it."""
    found = known.services.get(draw(st.sampled_from(["zoom", "ms-teams", "ms-365", "visio", ""])))
    host, country = draw(st.sampled_from(HOSTS)), draw(st.sampled_from(["US", "FR", ""]))
    source = Source("made for tests")
    listing = Listing(host, "host", source, Verification.VERIFIED, found) if found else None
    place = Place(country=country) if country else NOWHERE
    marks = HostIndex((pattern, pattern) for pattern in patterns).find_all(host)
    return Question(
        listing=listing,
        place=place,
        jurisdiction=assess(listing, place, frozenset({"FR", "IE"}), {}),
        reach=Reach.OUTSIDE,
        internal_name=False,
        marks=frozenset(marks),
        group=draw(st.sampled_from(["staff", "press", ""])),
        now=0.0,
    )


@settings(deadline=None, max_examples=300)
@given(data=st.data(), pair=related_conditions())
def test_what_fits_a_covered_rule_fits_the_earlier_one(data, pair, known):
    wider, narrower = pair
    question = data.draw(questions(known, wider.hosts | narrower.hosts))
    if covers(wider, narrower, known) and not why_not(narrower, question):
        assert not why_not(wider, question)
