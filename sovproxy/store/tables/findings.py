"""What analysts keep: saved views, findings with their notes, and suppressions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from sovproxy.store.tables.common import SEQUENCE


class ViewRow(SQLModel, table=True):
    """A saved view: a search as it stands in the URL, under a name.

    `owner` is the public id of the token or account, `owner_name` its name when it was saved.
    """

    __tablename__ = "saved_view"
    __table_args__ = (Index("saved_view_owner", "owner"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    owner: str
    owner_name: str
    name: str
    description: str = ""
    query: str
    shared: bool = False
    created: int = Field(sa_type=BigInteger)
    changed: int = Field(sa_type=BigInteger)


class ChosenViewRow(SQLModel, table=True):
    """The view that a person's page of events opens with."""

    __tablename__ = "chosen_view"

    owner: str = Field(primary_key=True)
    view: int = Field(sa_type=BigInteger)


class FindingRow(SQLModel, table=True):
    """Something that an analyst has marked. Each thing is marked once.

    `kind` says what `value` is: an event's id, a host, a service, an ASN or an operator; of a
    `pair` it is the service that `group` uses. `tags` is joined by commas, with one at both ends.
    """

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("kind", "value", "group", name="finding_thing"),
        Index("finding_state", "state", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    kind: str
    value: str
    group: str = ""
    state: str
    assignee: str = ""
    tags: str = ""
    author: str
    author_name: str
    created: int = Field(sa_type=BigInteger)
    changed: int = Field(sa_type=BigInteger)


class NoteRow(SQLModel, table=True):
    """An annotation, or a change of a finding that was made: rows are added, never changed."""

    __tablename__ = "finding_note"
    __table_args__ = (Index("finding_note_finding", "finding", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    finding: int = Field(sa_type=BigInteger)
    time: int = Field(sa_type=BigInteger)
    author: str
    author_name: str
    kind: str
    text: str


class SuppressionRow(SQLModel, table=True):
    """ "Do not show this again": a value that lists leave out until `expires`, or until lifted."""

    __tablename__ = "suppression"
    __table_args__ = (Index("suppression_expires", "expires"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    kind: str
    value: str
    reason: str
    author: str
    author_name: str
    created: int = Field(sa_type=BigInteger)
    expires: int = Field(sa_type=BigInteger)
    lifted: int | None = Field(default=None, sa_type=BigInteger)
    lifted_by: str = ""


VIEWS = SQLModel.metadata.tables["saved_view"]
CHOSEN_VIEWS = SQLModel.metadata.tables["chosen_view"]
FINDINGS = SQLModel.metadata.tables["finding"]
NOTES = SQLModel.metadata.tables["finding_note"]
SUPPRESSIONS = SQLModel.metadata.tables["suppression"]
