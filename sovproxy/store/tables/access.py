"""Who may call: accounts, tokens, sessions, and what leads to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel


class AccountRow(SQLModel, table=True):
    """A person who signs in: with a password of ours, or at an OpenID provider.

    `password` is an argon2 hash in PHC form, or empty: then there is none yet, or the provider
    that `issuer` and `subject` name answers for this person. `totp` is the secret of the second
    factor in base32, sealed, `totp_step` the last step (30 s) whose code was used, and `recovery`
    the SHA-256 of each recovery code that is left, separated by spaces.
    """

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("issuer", "subject", name="account_identity"),)

    id: str = Field(primary_key=True)
    login: str = Field(unique=True)
    name: str
    role: str
    password: str = ""
    issuer: str | None = None
    subject: str | None = None
    totp: str = ""
    totp_step: int = Field(default=0, sa_type=BigInteger)
    recovery: str = ""
    created: int = Field(sa_type=BigInteger)
    last_sign_in: int | None = Field(default=None, sa_type=BigInteger)
    disabled: int | None = Field(default=None, sa_type=BigInteger)


class LinkRow(SQLModel, table=True):
    """A one-time link: the SHA-256 of its code, and the account whose password it sets.

    An empty `account` stands for the first admin, who has none yet.
    """

    __tablename__ = "account_link"

    id: str = Field(primary_key=True)
    account: str = Field(index=True)
    created: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger)


class SignInRow(SQLModel, table=True):
    """A sign-in that is under way at an OpenID provider.

    `id` is the SHA-256 of its `state`, `browser` that of the cookie that the browser has to bring
    back. `nonce` and `verifier` (PKCE) are what the provider's answer must fit.
    """

    __tablename__ = "oidc_sign_in"

    id: str = Field(primary_key=True)
    browser: str
    nonce: str
    verifier: str
    going: str
    created: int = Field(index=True, sa_type=BigInteger)


class SessionRow(SQLModel, table=True):
    """A session of the console: the SHA-256 of its cookie's secret, and whose it is.

    `principal` is the public id of the token or the account that it began with, `agent` what the
    browser called itself, and `id_token` what the OpenID provider wants to see at sign-out, sealed
    by the cookie's secret.
    """

    __tablename__ = "console_session"

    id: str = Field(primary_key=True)
    principal: str = Field(index=True)
    created: int = Field(sa_type=BigInteger)
    used: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger)
    agent: str = ""
    id_token: str = ""


class TokenRow(SQLModel, table=True):
    """A bearer token: its public id, and the SHA-256 of its secret in hexadecimal.

    `maker` is the public id of the token or account that made it; empty for what the command line
    or a node's start made.
    """

    __tablename__ = "token"

    id: str = Field(primary_key=True)
    name: str
    role: str
    digest: str
    created: int = Field(sa_type=BigInteger)
    expires: int | None = Field(default=None, sa_type=BigInteger)
    revoked: int | None = Field(default=None, sa_type=BigInteger)
    maker: str = Field(default="", sa_column_kwargs={"server_default": ""})


ACCOUNTS = SQLModel.metadata.tables["account"]
LINKS = SQLModel.metadata.tables["account_link"]
SIGN_INS = SQLModel.metadata.tables["oidc_sign_in"]
SESSIONS = SQLModel.metadata.tables["console_session"]
TOKENS = SQLModel.metadata.tables["token"]
