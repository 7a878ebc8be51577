"""The tables of accounts, exceptions, findings, nodes, policies and upkeep.

Sessions of the console end with this revision: people sign in anew.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "account", "account_link", "acknowledgement", "chosen_view", "console_session",
    "exception_request", "exception_step", "finding", "finding_note", "forward_position",
    "node", "oidc_sign_in", "policy_draft", "policy_version", "resolution", "retention_run",
    "saved_view", "suppression",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables."""
    op.drop_table("session")
    _make_account()
    _make_account_link()
    _make_acknowledgement()
    _make_chosen_view()
    _make_console_session()
    _make_exception_request()
    _make_exception_step()
    _make_finding()
    _make_finding_note()
    _make_forward_position()
    _make_node()
    _make_oidc_sign_in()
    _make_policy_draft()
    _make_policy_version()
    _make_resolution()
    _make_retention_run()
    _make_saved_view()
    _make_suppression()


def downgrade() -> None:
    """Drop them."""
    for name in _TABLES:
        op.drop_table(name)
    op.create_table(
        "session", _key("id"), *_texts("token"), *_numbers("created", "used", "expires")
    )


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), primary_key=True)


def _counter(name: str) -> sa.Column[int]:
    return sa.Column(name, _COUNTER, primary_key=True)


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=nullable) for name in names]


def _numbers(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _make_account() -> None:
    op.create_table(
        "account",
        _key("id"),
        *_texts("login", "name", "role", "password", "totp", "recovery"),
        *_texts("issuer", "subject", nullable=True),
        *_numbers("totp_step", "created"),
        *_numbers("last_sign_in", "disabled", nullable=True),
        sa.UniqueConstraint("issuer", "subject", name="account_identity"),
        sa.UniqueConstraint("login"),
    )


def _make_account_link() -> None:
    op.create_table("account_link", _key("id"), *_texts("account"), *_numbers("created", "expires"))
    op.create_index("ix_account_link_account", "account_link", ["account"])


def _make_acknowledgement() -> None:
    op.create_table(
        "acknowledgement",
        _counter("seq"),
        sa.Column("id", sa.Uuid(), nullable=False),
        *_texts("client", "subject", "token"),
        *_numbers("until", "time"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("acknowledgement_until", "acknowledgement", ["until"])


def _make_chosen_view() -> None:
    op.create_table("chosen_view", _key("owner"), *_numbers("view"))


def _make_console_session() -> None:
    op.create_table(
        "console_session",
        _key("id"),
        *_texts("principal", "agent", "id_token"),
        *_numbers("created", "used", "expires"),
    )
    op.create_index("ix_console_session_principal", "console_session", ["principal"])


def _make_exception_request() -> None:
    op.create_table(
        "exception_request",
        _counter("number"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("below", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("forgotten", sa.Boolean(), nullable=False),
        *_numbers("asked", "wanted"),
        *_texts(
            "asked_by",
            "node",
            "client",
            "group",
            "service",
            "host",
            "role",
            "reason",
            "language",
            "rule",
            "action",
            "state",
            "decided_by",
            "decided_name",
            "scope",
            "message",
        ),
        *_numbers("decided", "start", "until", nullable=True),
        sa.UniqueConstraint("id"),
    )
    op.create_index("exception_asker_asked", "exception_request", ["asked_by", "asked"])
    op.create_index("exception_client_asked", "exception_request", ["client", "asked"])
    op.create_index("exception_state_until", "exception_request", ["state", "until"])


def _make_exception_step() -> None:
    op.create_table(
        "exception_step",
        _counter("seq"),
        *_numbers("number", "time"),
        *_texts("by", "name", "role", "before", "after", "message"),
    )
    op.create_index("exception_step_number", "exception_step", ["number", "seq"])


def _make_finding() -> None:
    op.create_table(
        "finding",
        _counter("id"),
        *_texts("kind", "value", "group", "state", "assignee", "tags", "author", "author_name"),
        *_numbers("created", "changed"),
        sa.UniqueConstraint("kind", "value", "group", name="finding_thing"),
    )
    op.create_index("finding_state", "finding", ["state", "id"])


def _make_finding_note() -> None:
    op.create_table(
        "finding_note",
        _counter("id"),
        *_numbers("finding", "time"),
        *_texts("author", "author_name", "kind", "text"),
    )
    op.create_index("finding_note_finding", "finding_note", ["finding", "id"])


def _make_forward_position() -> None:
    op.create_table("forward_position", _key("receiver"), *_numbers("seq", "updated"))


def _make_node() -> None:
    op.create_table(
        "node",
        _counter("id"),
        sa.Column("report", sa.Text(), nullable=False),
        *_texts("token", "name"),
        *_numbers("first", "last"),
        sa.UniqueConstraint("token", "name"),
    )


def _make_oidc_sign_in() -> None:
    op.create_table(
        "oidc_sign_in",
        _key("id"),
        *_texts("browser", "nonce", "verifier", "going"),
        *_numbers("created"),
    )
    op.create_index("ix_oidc_sign_in_created", "oidc_sign_in", ["created"])


def _make_policy_draft() -> None:
    op.create_table(
        "policy_draft",
        _key("id"),
        sa.Column("based_on", sa.Integer(), nullable=False),
        *_texts("author", "author_name", "comment", "text"),
        *_numbers("time"),
    )
    op.create_index("ix_policy_draft_author", "policy_draft", ["author"])


def _make_policy_version() -> None:
    op.create_table(
        "policy_version",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("source", sa.Integer(), nullable=False),
        *_numbers("time"),
        *_texts("origin", "author", "author_name", "comment", "policy", "digest", "text"),
    )


def _make_resolution() -> None:
    op.create_table(
        "resolution",
        _key("id"),
        *_texts(
            "client",
            "reason",
            "reference",
            "state",
            "requester",
            "requester_name",
            "decider",
            "decider_name",
            "message",
            "node",
            "found",
            "unknown_to",
        ),
        *_numbers("created", "until"),
        *_numbers("decided", "answered", nullable=True),
    )
    op.create_index("ix_resolution_created", "resolution", ["created"])
    op.create_index("resolution_state", "resolution", ["state", "until"])


def _make_retention_run() -> None:
    op.create_table(
        "retention_run",
        _counter("seq"),
        *_numbers("time", "took"),
        *_texts("who", "deleted", "problem"),
    )


def _make_saved_view() -> None:
    op.create_table(
        "saved_view",
        _counter("id"),
        sa.Column("shared", sa.Boolean(), nullable=False),
        *_texts("owner", "owner_name", "name", "description", "query"),
        *_numbers("created", "changed"),
    )
    op.create_index("saved_view_owner", "saved_view", ["owner"])


def _make_suppression() -> None:
    op.create_table(
        "suppression",
        _counter("id"),
        *_texts("kind", "value", "reason", "author", "author_name", "lifted_by"),
        *_numbers("created", "expires"),
        *_numbers("lifted", nullable=True),
    )
    op.create_index("suppression_expires", "suppression", ["expires"])
