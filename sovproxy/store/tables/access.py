"""Who may call: tokens and sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class SessionRow(SQLModel, table=True):
    """A session of the console: the SHA-256 of its cookie's secret, and the token it began with."""

    __tablename__ = "session"

    id: str = Field(primary_key=True)
    token: str
    created: int = Field(sa_type=BigInteger)
    used: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger)


class TokenRow(SQLModel, table=True):
    """A bearer token: its public id, and the SHA-256 of its secret in hexadecimal."""

    __tablename__ = "token"

    id: str = Field(primary_key=True)
    name: str
    role: str
    digest: str
    created: int = Field(sa_type=BigInteger)
    expires: int | None = Field(default=None, sa_type=BigInteger)
    revoked: int | None = Field(default=None, sa_type=BigInteger)


TOKENS = SQLModel.metadata.tables["token"]
SESSIONS = SQLModel.metadata.tables["session"]
