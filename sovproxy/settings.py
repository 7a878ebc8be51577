"""Settings of one installation, from the environment (`SOVPROXY_…`) and an optional TOML file.

The policy says what is wanted; settings say where things are on this machine.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sovproxy.errors import SovproxyError
from sovproxy.limits import Limits
from sovproxy.receivers import Receiver, distinct

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class UnusableConfig(SovproxyError):
    """The file that SOVPROXY_CONFIG names cannot be read, or is no TOML."""


def _base_url(text: str) -> str:
    """A URL that paths are added to, or nothing. Raises ValueError."""
    if text and not _is_base_url(text):
        wanted = "an address with http:// or https:// and without query is wanted"
        raise ValueError(f"{wanted}, such as https://sovproxy.example")
    return text


def _is_base_url(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_bare = not (parts.username or parts.password or "?" in text or "#" in text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_bare


BaseUrl = Annotated[str, Field(max_length=300), AfterValidator(_base_url)]
"""`http://…` or `https://…` with a host, perhaps a port and a path; empty for none."""


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/sovproxy`, or `~/.local/share/sovproxy`."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "sovproxy"


class Settings(BaseSettings):
    """Where this installation keeps and finds things. Every field is `SOVPROXY_<NAME>` too."""

    model_config = SettingsConfigDict(
        env_prefix="SOVPROXY_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        toml_file=os.environ.get("SOVPROXY_CONFIG") or None,
    )

    data_dir: Path = Field(
        default_factory=default_data_dir, description="Folder for everything that is written."
    )
    policy: str = Field(
        default="fr-etat", description="Name of a shipped profile, or path of a policy file."
    )
    node: str = Field(
        default_factory=lambda: socket.gethostname()[:64] or "node",
        description="Name of this node.",
    )
    proxy_host: str = Field(default="127.0.0.1", description="Address the proxy listens on.")
    proxy_port: int = Field(default=8888, ge=0, le=65535, description="Port of the proxy.")
    proxy_mode: str = Field(
        default="regular", description="mitmproxy mode: `regular` or `transparent`."
    )
    api_host: str = Field(default="127.0.0.1", description="Address the admin API listens on.")
    api_port: int = Field(default=8889, ge=0, le=65535, description="Port of the admin API.")
    store_url: str = Field(
        default="",
        description="URL of the store, such as `postgresql://user@host/name` (an empty database); "
        "empty: SQLite in the data directory.",
    )
    tunnel_grace: int = Field(
        default=60,
        ge=0,
        le=86_400,
        description="Seconds that an open tunnel may go on once it may not pass any more.",
    )
    store_cache_mib: int = Field(
        default=384,
        ge=16,
        le=1_048_576,
        description="MiB of memory in which the API keeps columns of events that were asked for "
        "last; 20 to each million events keep every question fast.",
    )
    hosts_file: Path | None = Field(
        default=None,
        description="File of `address name…` lines (hosts(5)) that is asked before the system.",
    )
    location_database: Path | None = Field(
        default=None, description="MMDB with countries; empty: the imported one, or the baseline."
    )
    network_database: Path | None = Field(
        default=None, description="MMDB with ASNs; empty: the imported one, or the baseline."
    )
    location_update_url: str = Field(
        default="", description="URL or file from which `data update` takes the location database."
    )
    network_update_url: str = Field(
        default="", description="URL or file from which `data update` takes the network database."
    )
    catalogue_dir: Path | None = Field(
        default=None,
        description="Folder with services and operators that add to the shipped ones; empty:"
        " `catalogue` in the data directory, and where that is missing, what the API tells.",
    )

    papers_file: Path | None = Field(
        default=None,
        description="File with what only the administration can say in its papers"
        " ([papers.md](papers.md)); empty: `papers.yaml` in the data directory.",
    )

    ca_days: int = Field(
        default=30,
        ge=1,
        le=397,
        description="Days that an issuing CA lasts; it is renewed when a third is left.",
    )
    ca_passphrase_file: Path | None = Field(
        default=None,
        description="File whose first line opens the key of the CA's root; see [ca.md](ca.md).",
    )
    ca_passphrase: SecretStr = Field(
        default=SecretStr(""), description="The passphrase itself, if there is no such file."
    )

    ca_inspection_file: Path | None = Field(
        default=None,
        description="Key and certificate of a CA of your own for `inspection: full`, then those"
        " above it (PEM); empty: one is made from the root. See [ca.md](ca.md).",
    )
    upstream_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the roots that servers are checked against where connections are"
        " decrypted; empty: public ones.",
    )

    fleet_url: BaseUrl = Field(
        default="",
        description="URL of the admin API for a node on another machine; empty: this machine's.",
    )
    fleet_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the roots that a node trusts for `fleet_url`; empty: public ones.",
    )
    forward: Annotated[tuple[Receiver, ...], AfterValidator(distinct)] = Field(
        default=(),
        examples=[[{"kind": "file", "name": "siem", "path": "/var/log/sovproxy.jsonl"}]],
        description="Receivers that events are forwarded to: a `[[forward]]` each in the file; "
        "their fields are in [siem.md](siem.md).",
    )
    metrics_open: bool = Field(
        default=False, description="Whether this machine reads `/metrics` without a token."
    )

    public_url: BaseUrl = Field(
        default="",
        description="URL under which people reach API and console; empty: as this machine does.",
    )
    oidc_issuer: str = Field(
        default="", description="Issuer of the OpenID provider; empty: local accounts only."
    )
    oidc_client_id: str = Field(default="", description="Our name at the OpenID provider.")
    oidc_client_secret_file: Path | None = Field(
        default=None, description="File with our secret at the OpenID provider."
    )
    oidc_label: str = Field(
        default="OpenID", max_length=40, description="What its button says, such as `ProConnect`."
    )
    oidc_scopes: str = Field(
        default="openid profile email", description="Scopes that are asked for, with spaces."
    )
    oidc_algorithms: str = Field(
        default="RS256 ES256", description="Signatures that are accepted, with spaces."
    )
    oidc_acr_values: str = Field(
        default="", description="Levels of which the sign-in must have one, with spaces."
    )
    oidc_roles: dict[str, list[str]] = Field(
        default={},
        examples=[{"analyst": ["siret=11002001300097"]}],
        description='Claims that give a role: `{"analyst": ["siret=11002001300097"]}`.',
    )

    visio_url: str = Field(
        default="",
        description="Address of Visio, to make rooms for workers by its external API; empty: none.",
    )
    visio_client_id: str = Field(default="", description="Our name at Visio's external API.")
    visio_client_secret_file: Path | None = Field(
        default=None, description="File with our secret at Visio's external API."
    )
    visio_owner: str = Field(
        default="", description="E-mail address that rooms belong to: one that Visio knows."
    )
    visio_email_domains: tuple[str, ...] = Field(
        default=(),
        examples=[["ministere.example"]],
        description="Domains of workers' addresses: then a room belongs to the worker, by the"
        " address that the extension's managed setting `email` holds.",
    )
    visio_access_level: str = Field(
        default="",
        description="Who enters a room without waiting: `public`, `trusted` or `restricted`;"
        " empty: as Visio has it.",
    )

    limits: Limits = Field(
        default=Limits(),
        examples=[{"connections": 2048}],
        description="How much is taken on: a `[limits]` in the file, or one variable each, such as"
        " `SOVPROXY_LIMITS__CONNECTIONS`; they are listed in [running.md](running.md).",
    )

    @property
    def local_catalogue(self) -> Path:
        """The folder with this administration's own entries; it may not exist yet."""
        return self.catalogue_dir or self.data_dir / "catalogue"

    @property
    def particulars_file(self) -> Path:
        """Where the particulars of the papers are; the file may not exist yet."""
        return self.papers_file or self.data_dir / "papers.yaml"

    @property
    def api_url(self) -> str:
        """Base URL of the admin API as this machine reaches it."""
        return f"http://{self.api_host}:{self.api_port}"

    @property
    def fleet_api_url(self) -> str:
        """Base URL of the admin API that this machine's node belongs to."""
        return self.fleet_url or self.api_url

    @property
    def ca_folder(self) -> Path:
        """Where the node's CA lies; its keys never leave this folder."""
        return self.data_dir / "ca"

    @property
    def ca_certificate(self) -> Path:
        """The root's certificate (never the key): what workstations trust."""
        return self.ca_folder / "root.pem"

    @property
    def ca_confdir(self) -> Path:
        """mitmproxy's own folder, with a CA in it that nobody trusts and nothing uses."""
        return self.ca_folder / "mitmproxy"

    @property
    def store_key_file(self) -> Path:
        """The key that seals secrets in the store (mode 0600); it is no part of the store."""
        return self.data_dir / "store.key"

    @property
    def bundle_key_file(self) -> Path:
        """The key that signs bundles for extensions (mode 0600)."""
        return self.data_dir / "fleet" / "bundle-key.pem"

    @property
    def worker_key_file(self) -> Path:
        """The API's keys for the tokens of workers, by month (mode 0600)."""
        return self.data_dir / "fleet" / "worker-key"

    @property
    def node_token_file(self) -> Path:
        """The local node's token for the API (mode 0600)."""
        return self.data_dir / "node" / "token"

    @property
    def audit_anchors_file(self) -> Path:
        """Hashes of the audit that the API noted, outside the database (mode 0600)."""
        return self.data_dir / "audit-anchors.jsonl"

    @property
    def effective_store_url(self) -> str:
        """The store's SQLAlchemy URL, with the default filled in."""
        return self.store_url or f"sqlite:///{self.data_dir / 'sovproxy.sqlite'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file that SOVPROXY_CONFIG names."""
        _ = env_settings, dotenv_settings, file_secret_settings
        return (init_settings, _Environment(settings_cls), _file_source(settings_cls))


class _Environment(EnvSettingsSource):
    """The environment; what is no JSON where JSON is wanted is refused by name, as all else is."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401  # pydantic's types
        """The value, or its text if that is no JSON: no such field takes a text."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


def _file_source(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    """The file's settings. Raises UnusableConfig; pydantic would pass over a file that is away."""
    path = settings_cls.model_config.get("toml_file")
    try:
        if isinstance(path, str):
            Path(path).read_bytes()
        return TomlConfigSettingsSource(settings_cls)
    except (OSError, ValueError) as error:  # ValueError: no TOML, or no UTF-8
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnusableConfig(
            f"the file of SOVPROXY_CONFIG, {path}, cannot be used: {reason}; "
            "mend it, or unset SOVPROXY_CONFIG to go without"
        ) from error
