"""Every limit of a node and of the API: one table of settings with its defaults.

A limit is `[limits]` in the file of SOVPROXY_CONFIG, or `SOVPROXY_LIMITS__<NAME>`. A node counts
how often each was reached as `limit_<name>` in `sovproxy_node_events`; the API in
`sovproxy_limit_reached`.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

KIB: Final = 1024
API: Final = "api_"
"""How the names of the API's limits begin; the others are a node's."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]


def _limit(default: float, meaning: str, answer: str) -> Any:  # noqa: ANN401  # the type of each field
    """A field with the answer that whoever reaches the limit gets."""
    return Field(default=default, description=meaning, json_schema_extra={"answer": answer})


class Limits(BaseModel):
    """How much of everything is taken on at a time. Sizes are in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: Number = _limit(
        4096, "Connections of all clients; fewer where the system grants fewer files.", "503"
    )
    client_connections: Number = _limit(
        256, "Connections of one address (of IPv6: one network of 64 bits).", "429"
    )
    client_openings: Number = _limit(
        1000, "New connections of one address within ten seconds.", "429"
    )
    client_deciding: Number = _limit(
        32,
        "Connections of one address whose name is being resolved; more wait for their turn.",
        "waits",
    )
    head_bytes: Annotated[int, Field(ge=1024, le=1024 * KIB)] = _limit(
        64 * KIB, "A request's head: CONNECT or any other.", "431"
    )
    head_lines: Number = _limit(200, "Fields in a request's head.", "431")
    head_seconds: Seconds = _limit(30, "Until a request's head is whole.", "408")
    answer_head_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * KIB)] = _limit(
        1024 * KIB, "The head of an answer that a destination gives and the node reads.", "502"
    )
    hello_bytes: Annotated[int, Field(ge=1024, le=1024 * KIB)] = _limit(
        64 * KIB, "What a client says first in a tunnel, until it is understood.", "closed"
    )
    hello_seconds: Seconds = _limit(
        30, "Until a ClientHello, or whatever comes first in a tunnel, is whole.", "closed"
    )
    handshakes: Number = _limit(128, "TLS handshakes with the node itself in flight.", "closed")
    handshake_seconds: Seconds = _limit(
        15, "Until a TLS handshake with the node is done.", "closed"
    )
    body_seconds: Seconds = _limit(
        30, "Until the body of a request that the node answers itself is read.", "closed"
    )
    connect_seconds: Seconds = _limit(30, "Until the destination takes the connection.", "502")
    idle_seconds: Annotated[int, Field(ge=1, le=604_800)] = _limit(
        600, "How long a tunnel, or a connection between two requests, may be silent.", "closed"
    )
    memory_mib: Annotated[int, Field(ge=0, le=1_048_576)] = _limit(
        0,
        "Resident memory (MiB) above which a node takes no new connection; 0: three quarters of"
        " what its control group or the machine has.",
        "503",
    )
    file_reserve: Annotated[int, Field(ge=16, le=100_000)] = _limit(
        256, "Open files that are kept for everything but connections.", "503"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = _limit(
        30, "How long running tunnels may go on after SIGTERM.", "closed"
    )

    api_connections: Number = _limit(1024, "Connections of all clients to the API.", "503")
    api_client_connections: Number = _limit(
        256, "Connections of one address to the API; a reverse proxy before it is one.", "429"
    )
    api_head_bytes: Annotated[int, Field(ge=1024, le=1024 * KIB)] = _limit(
        16 * KIB, "A request's head, as the API takes it.", "431"
    )
    api_head_lines: Number = _limit(100, "Fields in a request's head, as the API takes it.", "431")
    api_head_seconds: Seconds = _limit(15, "Until a request's head is whole.", "408")
    api_body_seconds: Seconds = _limit(60, "Until a request's body is whole.", "closed")
    api_idle_seconds: Annotated[int, Field(ge=1, le=3600)] = _limit(
        5, "How long a connection to the API is kept between two requests.", "closed"
    )


UNCOUNTED: Final = frozenset({"file_reserve", "drain_seconds", "api_idle_seconds"})
"""Settings that shape other limits, or end what is over: nobody is turned away by them."""

NODE_LIMITS: Final = tuple(
    name for name in Limits.model_fields if not name.startswith(API) and name not in UNCOUNTED
)
"""What a node counts, by name."""

API_LIMITS: Final = tuple(
    name for name in Limits.model_fields if name.startswith(API) and name not in UNCOUNTED
)
"""What the API counts, by name."""


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


def limits_table() -> str:
    """The limits as a Markdown table."""
    lines = ["| setting | without it | over it | counted as | meaning |", "|---|---|---|---|---|"]
    for name, field in Limits.model_fields.items():
        extra = field.json_schema_extra
        answer = extra["answer"] if isinstance(extra, dict) else ""
        counted = "–" if name in UNCOUNTED else f"`{_metric(name)}`"
        lines.append(
            f"| `{name}` | `{field.default}` | {answer} | {counted} | {field.description} |"
        )
    return "\n".join(lines) + "\n"


def _metric(name: str) -> str:
    if name.startswith(API):
        return f'sovproxy_limit_reached_total{{limit="{name}"}}'
    return f'sovproxy_node_events_total{{counter="limit_{name}"}}'
