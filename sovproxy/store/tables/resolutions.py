"""Who a client is: what is asked, who approved it, and the answer for a limited time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class ResolutionRow(SQLModel, table=True):
    """One question who a pseudonym stands for.

    `until` is when it lapses while it waits for a person or a node, and when the answer is erased
    afterwards. `found` is the answer: it is not in the audit, and emptied when its time is over.
    `unknown_to` names the nodes that do not know, joined by commas.
    """

    __tablename__ = "resolution"
    __table_args__ = (Index("resolution_state", "state", "until"),)

    id: str = Field(primary_key=True)
    client: str
    reason: str
    reference: str = ""
    state: str
    requester: str
    requester_name: str
    created: int = Field(index=True, sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)
    decider: str = ""
    decider_name: str = ""
    decided: int | None = Field(default=None, sa_type=BigInteger)
    message: str = ""
    node: str = ""
    answered: int | None = Field(default=None, sa_type=BigInteger)
    found: str = ""
    unknown_to: str = ""


RESOLUTIONS = SQLModel.metadata.tables["resolution"]
