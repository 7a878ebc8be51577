"""What other programs are given: Parquet that reads back, OCSF and ECS by their own schemas."""

from __future__ import annotations

import io
import json
import tracemalloc
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from sovproxy.decide.words import Action
from sovproxy.events.event import Event, EventKind, Outcome, Transport
from sovproxy.events.export import ExportFormat, event_json, export_parts
from sovproxy.events.export_ecs import ecs_document
from sovproxy.events.export_ocsf import OCSF_VERSION, ocsf_document
from sovproxy.events.export_parquet import GROUP

HOSTILE = "\u202e=cmd|'/C calc'!A0\"<script>é😀"


def an_event(**fields):
    values = {
        "time": datetime(2026, 11, 23, 8, 30, 0, 123456, UTC),
        "node": "proxy-1",
        "kind": "decision",
        "client": "2026-11.aaaabbbbccccdddd",
        "group": "finance",
        "host": "us02web.zoom.us",
        "address": "170.114.52.2",
        "port": 443,
        "action": "block",
        "rule": "video-abroad",
        "reason": "controlled from abroad",
        "service": "zoom",
        "operator": "zoom",
        "control": ("US", "IE"),
        "standing": "abroad",
        "location": "US",
        "asn": 4_200_000_000,
        "policy": "fr-etat",
        "policy_version": "1",
        "outcome": "prompted",
        "transport": "https",
        "decrypted": True,
    }
    return Event.model_validate(values | fields, strict=False)


BARE = {"host": "", "address": "", "client": "", "group": "", "port": 0, "asn": 0, "location": ""}
VARIANTS = [
    an_event(**extra, action=action, kind=kind, outcome=outcome, transport=transport)
    for extra in ({}, BARE, {"address": "2001:db8::1", "host": ""}, {"reason": HOSTILE})
    for action in Action
    for kind in EventKind
    for outcome in Outcome
    for transport in Transport
]


@pytest.fixture(scope="module")
def ocsf_schema():
    """The class as OCSF publishes it, with the profiles that our events name."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION))
    wanted = schema.get_class_schema("http_activity", ["security_control", "network_proxy"])
    return Draft202012Validator(wanted)


def test_every_kind_of_event_fits_the_published_schema_of_ocsf(ocsf_schema):
    for event in VARIANTS:
        problems = [
            f"{error.json_path}: {error.message[:200]}"
            for error in ocsf_schema.iter_errors(ocsf_document(event))
        ]
        assert problems == [], event


def test_the_schema_of_ocsf_refuses_what_is_not_in_it(ocsf_schema):
    document = ocsf_document(an_event())
    assert list(ocsf_schema.iter_errors(document | {"standing": "abroad"}))
    del document["metadata"]["version"]
    assert list(ocsf_schema.iter_errors(document))


def test_captions_of_ocsf_are_those_of_their_numbers():
    attributes = get_ocsf_schema(version=OCSF_VERSION)["classes"]["http_activity"]["attributes"]
    names = ("action", "disposition", "severity", "status")
    for event in VARIANTS:
        document = ocsf_document(event)
        for name in (*names, "activity"):
            caption = document["activity_name" if name == "activity" else name]
            known = attributes[f"{name}_id"]["enum"][str(document[f"{name}_id"])]["caption"]
            assert caption == known


def test_observables_of_ocsf_are_what_stands_in_the_event():
    document = ocsf_document(an_event())
    assert [(item["type"], item["value"]) for item in document["observables"]] == [
        ("Hostname", "us02web.zoom.us"),
        ("IP Address", "170.114.52.2"),
        ("User", "2026-11.aaaabbbbccccdddd"),
    ]
    assert document["http_request"]["url"]["url_string"] == "https://us02web.zoom.us:443"


# ECS 8.17, field reference: the type of every field that we write.
ECS_FIELDS = {
    "@timestamp": str, "ecs.version": str, "message": str, "error.message": str,
    "event.id": str, "event.kind": str, "event.category": list, "event.type": list,
    "event.action": str, "event.outcome": str, "event.reason": str, "event.severity": int,
    "event.module": str, "event.dataset": str, "event.provider": str,
    "source.user.hash": str, "source.user.group.name": str,
    "destination.address": str, "destination.domain": str, "destination.ip": str,
    "destination.port": int, "destination.geo.country_iso_code": str,
    "destination.as.number": int, "network.transport": str, "network.protocol": str,
    "network.application": str, "network.direction": str, "network.type": str,
    "observer.name": str, "observer.product": str, "observer.vendor": str, "observer.type": str,
    "rule.id": str, "rule.ruleset": str, "rule.version": str,
    "related.hash": list, "related.hosts": list, "related.ip": list,
}  # fmt: skip
ECS_NETWORK_TYPES = {
    "access", "allowed", "connection", "denied", "end", "info", "protocol", "start",
}  # fmt: skip


def flat(document, prefix=""):
    for name, value in document.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_every_kind_of_event_has_only_fields_and_values_that_ecs_allows():
    for event in VARIANTS:
        for name, value in flat(ecs_document(event)):
            if not name.startswith("sovproxy."):
                assert isinstance(value, ECS_FIELDS[name]), name
        document = ecs_document(event)
        assert set(document["event"]["type"]) <= ECS_NETWORK_TYPES
        assert document["event"]["outcome"] in {"success", "failure", "unknown"}
        assert document["network"]["direction"] == "egress"


def parquet(events):
    return pq.ParquetFile(io.BytesIO(b"".join(export_parts(ExportFormat.PARQUET, events))))


def test_parquet_reads_back_as_what_was_written_in_its_own_types():
    events = [an_event(port=number % 3, reason=f"{number} {HOSTILE}") for number in range(3)]
    events.append(an_event(control=(), **BARE))
    file = parquet(events)
    schema = file.schema_arrow
    assert schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("control").type.value_type == pa.string()
    assert (schema.field("port").type, schema.field("asn").type) == (pa.uint16(), pa.uint32())
    assert schema.field("decrypted").type == pa.bool_()
    rows = file.read().to_pylist()
    assert [
        Event.model_validate(row | {"control": tuple(row["control"])}, strict=False) for row in rows
    ] == events


def test_parquet_keeps_repeated_texts_in_dictionaries_and_ids_plain():
    file = parquet([an_event() for _ in range(50)])
    group = file.metadata.row_group(0)
    encodings = {
        group.column(index).path_in_schema: group.column(index).encodings
        for index in range(group.num_columns)
    }
    assert "RLE_DICTIONARY" in encodings["host"]
    assert "RLE_DICTIONARY" not in encodings["id"]
    assert group.column(0).compression == "ZSTD"


def test_parquet_of_nothing_is_a_file_with_columns_and_no_rows():
    assert (parquet([]).metadata.num_rows, parquet([]).schema_arrow.names[0]) == (0, "id")


def test_parquet_is_written_row_group_by_row_group_in_bounded_memory():
    event = an_event()
    taken = 0

    def endless():
        nonlocal taken
        for _ in range(6 * GROUP):
            taken += 1
            yield event

    parts = export_parts(ExportFormat.PARQUET, endless())
    tracemalloc.start()
    sizes = []
    for number, part in enumerate(parts, 1):
        assert taken <= number * GROUP
        sizes.append(len(part))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sizes) == 7
    assert peak < 24 * 1024 * 1024


def test_json_of_a_hostile_text_is_ascii_and_means_the_same():
    event = an_event(reason=HOSTILE, host=HOSTILE)
    assert event_json(event).isascii()
    assert json.loads(event_json(event)) == event.model_dump(mode="json")
