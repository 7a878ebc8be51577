"""What tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, LargeBinary, Uuid
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

LAST_OWN_VERSION = 3

# On SQLite an INTEGER primary key is the row's own number and costs nothing.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")


class _RecordId(TypeDecorator[UUID]):
    """A UUID: PostgreSQL's own type, 16 bytes on SQLite."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(LargeBinary(16) if dialect.name == "sqlite" else Uuid())

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> UUID | bytes | None:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: UUID | bytes | None, dialect: Dialect) -> UUID | None:
        _ = dialect
        return UUID(bytes=value) if isinstance(value, bytes) else value


RECORD_ID = _RecordId


class SchemaRow(SQLModel, table=True):
    """The version of the tables, as sovproxy counted before it took revisions.

    It stays at 3, so that a sovproxy that knows only these numbers refuses the store.
    """

    __tablename__ = "sovproxy_schema"

    version: int = Field(primary_key=True)
