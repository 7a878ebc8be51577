"""What would wear a server out is refused at a stated limit, and others are served meanwhile."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import httpx
import pytest

from sovproxy.errors import InvalidFile
from sovproxy.policy.known import Known
from sovproxy.policy.load import check_bytes
from sovproxy.usecases.access.tokens import Role
from sovproxy.yamlfile import MAX_BYTES, parse
from tests.console.conftest import an_event

DEEP = 100_000
POLICY = b"id: ours\ntitle: {en: Ours}\ntrust_zone: [EEA]\nrules:\n"


def post(site, path, content, role=Role.ADMIN, **headers) -> httpx.Response:
    values = {"authorization": f"Bearer {site.token(role)}", "content-type": "application/json"}
    with httpx.Client(base_url=site.url, trust_env=False, timeout=60) as client:
        return client.post(path, content=content, headers=values | headers)


BODIES = {
    "lists in lists": b"[" * 30_000,
    "objects in objects": b'{"a":' * 6_000 + b"1" + b"}" * 6_000,
    "a number of 60,000 digits": b'{"text": ' + b"9" * 60_000 + b"}",
    "a number beyond all": b'{"text": 1e999999999}',
    "a text of escapes": b'{"text": "' + b"\\u0000" * 10_000 + b'"}',
    "half a pair": b'{"text": "\\ud800"}',
    "20,000 keys": b"{" + b",".join(b'"k%d":1' % n for n in range(6_000)) + b"}",
    "no JSON": b"\x00\xff" * 1000,
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    "path", ["/api/v1/policy/validate", "/api/v1/events", "/api/v1/views", "/api/v1/check"]
)
def test_a_hostile_body_is_a_problem_and_no_failure(attacked, path, body):
    role = Role.NODE if path.endswith("/events") else Role.ADMIN
    answer = post(attacked, path, BODIES[body], role)
    assert 400 <= answer.status_code < 500, answer.text[:200]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused_whether_it_says_so_or_not(attacked, announced):
    body = b"x" * (9 * 1024 * 1024)
    content = (
        body if announced else iter([body[at : at + 65536] for at in range(0, len(body), 65536)])
    )
    try:
        answer = post(attacked, "/api/v1/events", content, Role.NODE)
    except httpx.WriteError:  # it was refused before all of it was sent
        return
    assert answer.status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_packed_body_is_not_unpacked(attacked, encoding):
    """So no bomb of that sort can go off."""
    headers = {"content-encoding": encoding}
    answer = post(attacked, "/api/v1/events", b"\x1f\x8b" + b"\0" * 1000, Role.NODE, **headers)
    assert 400 <= answer.status_code < 500


def test_thousands_of_parameters_are_refused(attacked):
    token = {"authorization": f"Bearer {attacked.token(Role.ANALYST)}"}
    with httpx.Client(base_url=attacked.url, trust_env=False, headers=token) as client:
        query = "&".join(f"host=h{number}.example" for number in range(3000))
        assert client.get(f"/api/v1/events?{query}").status_code in {400, 414, 422, 431}
        odd = "&".join(f"k{number}=1" for number in range(3000))
        answer = client.get(f"/api/v1/events?{odd}")
        assert answer.status_code in {400, 414, 422, 431}
        assert len(answer.content) < 100_000


def test_a_form_with_thousands_of_fields_is_refused(attacked):
    client = attacked.client(None)
    answer = client.post("/console/sign-in", data={f"k{number}": "1" for number in range(3000)})
    assert answer.status_code == 400
    client.close()


def test_an_export_is_bounded_and_says_that_it_was_cut(attacked):
    attacked.deliver([an_event(datetime.now(UTC)) for _ in range(50)])
    token = {"authorization": f"Bearer {attacked.token(Role.ANALYST)}"}
    with httpx.Client(base_url=attacked.url, trust_env=False, headers=token) as client:
        for form in ("csv", "parquet", "jsonl"):
            answer = client.get("/api/v1/export", params={"format": form, "limit": 10_000_000})
            assert answer.status_code == 422, (form, answer.status_code)


BOMBS = {
    "billion laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (98 + n, 98 + n, *[97 + n] * 4) for n in range(20)),
    "an alias to itself": b"a: &a [*a]\n",
    "merge keys": b"a: &a {x: 1}\nb: {<<: *a}\n",
    "tags": b"id: !!python/object/apply:os.system [id]\n",
    "depth": b"rules: " + b"[" * DEEP,
    "depth in blocks": b"".join(b" " * n + b"a:\n" for n in range(300)),
    "size": b"#" * (MAX_BYTES + 1),
    "a number of many digits": b"id: " + b"9" * 200_000 + b"\n",
    "a number in base 60": b"id: 1" + b":59" * 100_000 + b"\n",
    "keys that are lists": b"? [" + b"a," * 1000 + b"]\n: x\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_of_yaml_is_refused_whole(bomb):
    with pytest.raises(InvalidFile) as refused:
        check_bytes(BOMBS[bomb], "policy.yaml", Known())
    assert refused.value.problems
    assert sum(len(one.message) for one in refused.value.problems) < 20_000


def steps(text: str) -> int:
    """How many lines of our code run to read a policy: a count that no clock disturbs."""
    monitor, tool, count = sys.monitoring, 3, 0

    def line(code, _number):
        nonlocal count
        if "/sovproxy/" not in code.co_filename:
            return monitor.DISABLE
        count += 1
        return None

    monitor.use_tool_id(tool, "steps")
    monitor.register_callback(tool, monitor.events.LINE, line)
    monitor.set_events(tool, monitor.events.LINE)
    try:
        parse(text, "policy.yaml")
    finally:
        monitor.set_events(tool, 0)
        monitor.free_tool_id(tool)
    return count


def rules(number: int) -> str:
    one = "  - {{id: r{n}, when: {{host: [h{n}.example]}}, action: warn}}\n"
    return POLICY.decode() + "".join(one.format(n=n) for n in range(number))


def test_reading_a_policy_takes_steps_in_proportion_to_its_size():
    small, large = steps(rules(200)), steps(rules(2000))
    assert small > 1000
    assert large < 11 * small


def test_a_policy_of_a_hundred_thousand_rules_is_refused_by_its_size():
    text = rules(100_000).encode()
    assert len(text) > MAX_BYTES
    with pytest.raises(InvalidFile, match="larger than"):
        check_bytes(text, "policy.yaml", Known())
