"""Receivers of events beside the store, as the settings name them: `[[forward]]` in the TOML file.

A receiver is a syslog server (a SIEM's, as a rule) or a file.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  # pydantic reads annotations
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sovproxy.decide.words import Action  # noqa: TC001  # pydantic reads annotations

SYSLOG_TLS_PORT: Final = 6514
"""RFC 5425 §4.1."""

DOCUMENTATION_NUMBER: Final = 32473
"""The private enterprise number that RFC 5612 sets aside for those who have none of their own."""


class Body(StrEnum):
    """What a message holds: an event of the Elastic Common Schema, of OCSF, or sovproxy's own."""

    ECS = "ecs"
    OCSF = "ocsf"
    JSON = "json"


class Begin(StrEnum):
    """Where a receiver begins that has never had anything: with what arrives now, or at first."""

    NOW = "now"
    FIRST = "first"


class _Receiver(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Its name in the console, the API and the metrics; its position is kept by it.",
    )
    body: Body = Field(default=Body.ECS, description="What a message holds: ecs, ocsf or json.")
    begin: Begin = Field(
        default=Begin.NOW, description="The first time, begin `now` or with the `first` event held."
    )
    action: tuple[Action, ...] = Field(
        default=(), max_length=4, description="Forward only events with these actions; none: all."
    )


class SyslogReceiver(_Receiver):
    """A syslog server: RFC 5424 over TLS (RFC 5425), or over TCP with octets counted (RFC 6587)."""

    kind: Literal["syslog"]
    host: str = Field(min_length=1, max_length=253, description="Its host name or address.")
    port: int = Field(default=SYSLOG_TLS_PORT, ge=1, le=65535, description="Its port.")
    tls: bool = Field(default=True, description="Encrypt, and check who answers.")
    ca_file: Path | None = Field(
        default=None, description="PEM file with the CAs to trust; the system's without it."
    )
    server_name: str = Field(
        default="", max_length=253, description="Name its certificate must have; else `host`."
    )
    certificate: Path | None = Field(
        default=None, description="PEM file with our own certificate, if it asks for one."
    )
    key: Path | None = Field(default=None, description="PEM file with the key of `certificate`.")
    facility: int = Field(default=16, ge=0, le=23, description="Syslog facility; 16 is local0.")
    enterprise: int = Field(
        default=DOCUMENTATION_NUMBER,
        ge=1,
        le=2**31 - 1,
        description="Your private enterprise number, in the id of the structured data.",
    )

    @model_validator(mode="after")
    def _key_belongs_to_certificate(self) -> Self:
        if self.key and not self.certificate:
            raise ValueError("`key` needs `certificate`")
        if not self.tls and (self.ca_file or self.certificate or self.server_name):
            raise ValueError("ca_file, certificate and server_name need `tls = true`")
        return self

    @property
    def where(self) -> str:
        """What it is, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'tcp'}://{host}:{self.port}"


class FileReceiver(_Receiver):
    """A file of JSON Lines that is rotated here or by others (logrotate, without a signal)."""

    kind: Literal["file"]
    path: Path = Field(description="The file; its folder must be there. Mode 0600.")
    max_bytes: int = Field(
        default=100 * 1024 * 1024, ge=0, description="Rotate beyond this size; 0: never."
    )
    max_hours: int = Field(default=24, ge=0, le=8784, description="Rotate after this; 0: never.")
    keep: int = Field(default=14, ge=0, le=10_000, description="Rotated files that are kept.")
    fsync: bool = Field(
        default=True, description="Have each batch on the disk before it counts as forwarded."
    )

    @property
    def where(self) -> str:
        """What it is, for people."""
        return str(self.path)


type Receiver = Annotated[SyslogReceiver | FileReceiver, Field(discriminator="kind")]


def distinct(receivers: tuple[Receiver, ...]) -> tuple[Receiver, ...]:
    """Give them back if each has a name of its own. Raises ValueError."""
    names = [receiver.name for receiver in receivers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each receiver needs a name of its own; twice: {', '.join(twice)}")
    return receivers
