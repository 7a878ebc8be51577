"""Every mistake in the catalogue is an error with file and line, and all are told together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sovproxy.atlas.load import SHIPPED, load_atlas
from sovproxy.errors import InvalidFile

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = """\
id: meet
name: Meet
category: videoconference
operator: acme-ireland
stance: replace
alternatives: [room]
hosts:
  - verification: verified
    source: acme.example, network requirements
    as_of: 2026-11-23
    names:
      - meet.example
      - "*.meet.example"
prefixes:
  - verification: verified
    source: acme.example
    exclusive: true
    origins: [64500]
    names: [192.0.2.0/24]
networks:
  - asn: 64500
    exclusive: true
    verification: recalled
    source: recalled
"""
ROOM = """\
id: room
name: Room
category: videoconference
operator: acme
stance: keep
url: https://room.example
hosts:
  - verification: recalled
    source: recalled
    names: [room.example]
"""
OPERATORS = """\
group: acme
operators:
  - id: acme
    name: Acme, Inc.
    country: US
    verification: recalled
    source: recalled
  - id: acme-ireland
    name: Acme Ireland Ltd
    country: IE
    parents: [acme]
    verification: recalled
    source: recalled
    networks:
      - verification: recalled
        source: recalled
        asns:
          - {asn: 64500, name: ACME}
"""
POWERS = """\
country: US
powers:
  - id: us-act
    name: Act
    kind: power
    effect: disclose
    citation: 1 U.S.C. 1
    year: 2018
    status: in_force
    status_text: in force
    compels: disclosure
    reach: worldwide
    verification: recalled
    source: recalled
"""
SHARED = """\
hosts:
  - kind: certificate
    operator: acme
    why: Certificate status of every site.
    verification: recalled
    source: recalled
    names: [ocsp.example]
"""
FILES = {
    "services/meet.yaml": SERVICE,
    "services/room.yaml": ROOM,
    "operators/acme.yaml": OPERATORS,
    "powers/us.yaml": POWERS,
    "shared_hosts.yaml": SHARED,
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path, *more: Path) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        load_atlas([folder, *more])
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def line_of(text: str, part: str, nth: int = 1) -> int:
    numbers = [at for at, line in enumerate(text.splitlines(), 1) if part in line]
    return numbers[nth - 1]


def test_the_small_catalogue_of_these_tests_is_right(tmp_path):
    atlas = load_atlas([write(tmp_path, FILES)])
    assert atlas.services["meet"].operator.control == ("IE", "US")
    kinds = {listing.pattern: listing.kind for listing in atlas.listings}
    assert kinds["*.meet.example"] == "host"
    assert kinds["192.0.2.0/24"] == "prefix"
    assert kinds["AS64500"] == "network"
    shared = next(one for one in atlas.listings if one.pattern == "ocsp.example")
    assert shared.service is None
    assert shared.operator is atlas.operators["acme"]


MISTAKES = [
    ("services/meet.yaml", "name: Meet", "nome: Meet", "nome: Meet", "not a key that is known"),
    ("services/meet.yaml", "- meet.example", "- Meet.example", "Meet.example", "lower case"),
    ("services/meet.yaml", "- meet.example", "- a.*.example", "a.*.example", "star"),
    ("services/meet.yaml", "- meet.example", "- meet*.example", "meet*.example", "star"),
    ("services/meet.yaml", "- meet.example", "- meet", "- meet", "not a host name"),
    ("services/meet.yaml", "- meet.example", "- 192.0.2.1", "192.0.2.1", "is an address"),
    ("services/meet.yaml", "- meet.example", "- mëet.example", "mëet", "ASCII"),
    ("services/meet.yaml", "- meet.example", "- meet.example.", "meet.example.", "not a host name"),
    ("services/meet.yaml", "192.0.2.0/24", "192.0.2.1/24", "192.0.2.1/24", "host bits"),
    ("services/meet.yaml", "192.0.2.0/24", "192.0.2.7", "192.0.2.7", "192.0.2.7/32"),
    ("services/meet.yaml", "as_of: 2026-11-23", "as_of: 2026-13-01", "2026-13-01", "month"),
    ("services/meet.yaml", "as_of: 2026-11-23", "as_of: in May", "in May", "valid date"),
    ("services/meet.yaml", "category: video", "category: vdeo", "vdeo", "videoconference"),
    ("services/meet.yaml", "stance: replace", "stance: forbid", "forbid", "replace"),
    ("services/meet.yaml", "exclusive: true", "exclusive: yes", "exclusive: yes", "boolean"),
    ("services/meet.yaml", "[64500]", "[AS64500]", "AS64500", "integer"),
    ("services/meet.yaml", "[room]", "[rom]", "rom", "no service `rom`"),
    ("services/meet.yaml", "[room]", "[meet]", "[meet]", "no alternative to itself"),
    ("services/meet.yaml", "acme-ireland", "acme-irland", "acme-irland", "no operator"),
    ("services/meet.yaml", "id: meet", "id: meat", "id: meat", "`meet.yaml`"),
    ("services/meet.yaml", "id: meet", "id: Meet", "id: Meet", "not an id"),
    ("services/meet.yaml", '"*.meet.example"', "meet.example", "", "meet.example is listed twice"),
    ("services/meet.yaml", '"*.meet.example"', "room.example", "", "services/meet.yaml:13"),
    ("services/room.yaml", "url: https://room.example", "", "", "has no `url`"),
    ("services/room.yaml", "https://room", "http://room", "http://room", "not a link"),
    ("services/room.yaml", "https://room", "https://meet", "url", "not among the service's own"),
    ("operators/acme.yaml", "country: IE", "country: UK", "country: UK", "ISO 3166-1"),
    ("operators/acme.yaml", "country: IE", "country: EU", "country: EU", "ISO 3166-1"),
    ("operators/acme.yaml", "[acme]", "[acne]", "acne", "no operator `acne`"),
    ("operators/acme.yaml", "[acme]", "[acme-ireland]", "[acme-ireland]", "own itself"),
    ("operators/acme.yaml", "group: acme", "group: acmes", "group: acmes", "`acme.yaml`"),
    ("powers/us.yaml", "effect: disclose", "effect: read", "effect: read", "disclose"),
    ("powers/us.yaml", "kind: power", "kind: policy", "effect: disclose", "has none"),
    ("powers/us.yaml", "country: US", "country: FR", "country: FR", "`us.yaml`"),
    ("shared_hosts.yaml", "operator: acme", "operator: acne", "operator: acne", "no operator"),
    ("shared_hosts.yaml", "ocsp.example", "meet.example", "", "`meet` has it too"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake[0]}:{mistake[2]}")
def test_each_mistake_is_told_with_file_and_line(tmp_path, mistake):
    file, old, new, mark, told = mistake
    text = FILES[file].replace(old, new, 1)
    found = problems(write(tmp_path, {**FILES, file: text}))
    told_here = [problem for problem in found if told in problem]
    assert told_here, found
    if mark:
        assert told_here[0].startswith(f"{file}:{line_of(text, mark)}:"), told_here
    else:
        assert re.match(r"\S+\.yaml:\d+:\d+: ", told_here[0])


def test_a_domain_listed_twice_names_both_places(tmp_path):
    text = ROOM.replace("[room.example]", "[room.example, meet.example]")
    found = problems(write(tmp_path, {**FILES, "services/room.yaml": text}))
    assert len(found) == 1
    assert found[0].startswith("services/room.yaml:10:")
    assert "services/meet.yaml:12" in found[0].replace(f"{tmp_path}/", "")


def test_a_prefix_listed_twice_names_both_places_but_ports_tell_it_apart(tmp_path):
    block = SERVICE[SERVICE.index("prefixes:") : SERVICE.index("networks:")]
    again = block.removeprefix("prefixes:\n")
    twice = SERVICE.replace(block, block + again)
    found = problems(write(tmp_path / "a", {**FILES, "services/meet.yaml": twice}))
    assert len(found) == 1
    assert "192.0.2.0/24 is listed twice" in found[0]
    ported = SERVICE.replace(block, block + again + "    ports: [udp/3478-3481]\n")
    atlas = load_atlas([write(tmp_path / "b", {**FILES, "services/meet.yaml": ported})])
    (port,) = atlas.port_listings
    assert (port.listing.pattern, port.protocol) == ("192.0.2.0/24", "udp")
    assert (port.first, port.last) == (3478, 3481)
    assert len([one for one in atlas.listings if one.kind == "prefix"]) == 1


def test_an_asn_owned_twice_names_both_places(tmp_path):
    other = OPERATORS.replace("group: acme", "group: other").replace("id: acme", "id: other")
    other = other.replace("[acme]", "[other]")
    found = problems(write(tmp_path, {**FILES, "operators/other.yaml": other}))
    assert len(found) == 1
    assert found[0].startswith(f"operators/other.yaml:{line_of(other, '{asn')}:")
    assert f"operators/acme.yaml:{line_of(OPERATORS, '{asn')}" in found[0]


def test_a_network_claimed_by_two_services_is_an_error(tmp_path):
    claim = SERVICE[SERVICE.index("networks:") :]
    found = problems(write(tmp_path, {**FILES, "services/room.yaml": ROOM + claim}))
    assert len(found) == 1
    assert "AS64500 is listed twice" in found[0]


def test_operators_in_a_circle_are_an_error_that_shows_the_circle(tmp_path):
    text = OPERATORS.replace("country: US", "country: US\n    parents: [acme-ireland]")
    found = problems(write(tmp_path, {**FILES, "operators/acme.yaml": text}))
    assert any("acme → acme-ireland → acme" in problem for problem in found)


def test_an_operator_in_two_files_of_a_folder_is_an_error(tmp_path):
    other = OPERATORS.replace("group: acme", "group: other")
    found = problems(write(tmp_path, {**FILES, "operators/other.yaml": other}))
    assert any("the operator `acme` stands here twice" in problem for problem in found)


def test_all_mistakes_of_all_files_are_told_together(tmp_path):
    broken = {
        "services/meet.yaml": SERVICE.replace("- meet.example", "- Meet.example"),
        "powers/us.yaml": POWERS.replace("effect: disclose", "effect: read"),
        "operators/acme.yaml": OPERATORS.replace("country: IE", "country: UK"),
        "shared_hosts.yaml": SHARED.replace("kind: certificate", "kind: certifcate"),
    }
    found = problems(write(tmp_path, {**FILES, **broken}))
    assert {problem.partition(":")[0] for problem in found} == set(broken)
    assert len(found) == 4


def test_a_file_that_cannot_be_read_causes_no_further_complaints(tmp_path):
    found = problems(write(tmp_path, {**FILES, "services/room.yaml": "id: [room"}))
    assert len(found) == 1
    assert found[0].startswith("services/room.yaml:")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("services/meet.yml", "named `<id>.yaml`"),
        ("services/notes.txt", "named `<id>.yaml`"),
        ("service/meet.yaml", "not part of a catalogue"),
        ("zoom.yaml", "not part of a catalogue"),
    ],
)
def test_files_that_would_be_ignored_are_errors(tmp_path, name, told):
    assert told in problems(write(tmp_path, {**FILES, name: "x: 1\n"}))[0]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    assert "is not a folder" in problems(tmp_path / "nowhere")[0]


def test_own_folder_adds_services_and_overrides_by_id(tmp_path):
    own = {
        "services/room.yaml": ROOM.replace("name: Room", "name: Our room").replace(
            "[room.example]", "[room.example, salle.example]"
        ),
        "services/chat.yaml": ROOM.replace("room", "chat").replace("Room", "Chat"),
        "operators/acme.yaml": OPERATORS.replace("name: Acme, Inc.", "name: Acme Holding"),
    }
    folders = [write(tmp_path / "shipped", FILES), write(tmp_path / "own", own)]
    atlas = load_atlas(folders)
    assert atlas.services["room"].name == "Our room"
    assert set(atlas.services) == {"meet", "room", "chat"}
    assert atlas.services["meet"].operator.parents[0].name == "Acme Holding"
    assert {one.pattern for one in atlas.listings} >= {"salle.example", "chat.example"}


def test_own_folder_on_top_of_the_shipped_data_may_say_whose_a_shared_host_is(tmp_path):
    own = SHARED.replace("ocsp.example", "ocsp.digicert.com").replace("    operator: acme\n", "")
    atlas = load_atlas([SHIPPED, write(tmp_path, {"shared_hosts.yaml": own})])
    (listing,) = [one for one in atlas.listings if one.pattern == "ocsp.digicert.com"]
    assert listing.source.title == "recalled"


def test_own_folder_cannot_silently_take_a_host_from_a_shipped_service(tmp_path):
    own = {
        "services/mine.yaml": ROOM.replace("id: room", "id: mine")
        .replace("operator: acme", "operator: dinum")
        .replace("room.example", "zoom.us")
    }
    found = problems(SHIPPED, write(tmp_path, own))
    assert len(found) == 1
    assert "zoom.us is listed twice; `zoom` has it too" in found[0]
