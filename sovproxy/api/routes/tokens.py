"""Tokens: admins make, list and revoke them."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.times import from_microseconds
from sovproxy.usecases.access import tokens
from sovproxy.usecases.access.tokens import InvalidToken, Principal, Role, TokenFacts
from sovproxy.usecases.analysis.searching import Value  # noqa: TC001  # FastAPI reads annotations

router = APIRouter(prefix="/api/v1/tokens", tags=["tokens"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
TokenId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["0f3a9c5d7e1b2846"])]


class Token(BaseModel):
    """What may be shown of a token: never its secret."""

    id: str = Field(examples=["0f3a9c5d7e1b2846"])
    name: str = Field(examples=["proxy-2"])
    role: Role
    created: datetime
    expires: datetime | None
    state: Literal["valid", "expired", "revoked"]


class Tokens(BaseModel):
    """All tokens, oldest first."""

    items: list[Token]


class NewToken(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: Value = Field(max_length=tokens.MAX_NAME, examples=["proxy-2"])
    role: Role
    days: int = Field(default=tokens.DEFAULT_DAYS, ge=1, le=tokens.MAX_DAYS)


class MadeToken(BaseModel):
    """A token that was made. `secret` is the bearer token; it can be seen only now."""

    token: Token
    secret: str = Field(examples=["sov_0f3a9c5d7e1b2846_…"])


@router.get("")
def list_tokens(services: ServicesDep, principal: Admin) -> Tokens:
    """List all tokens."""
    _ = principal
    found = tokens.list_tokens(services.store, services.clock())
    return Tokens(items=[_token(facts) for facts in found])


@router.post("", status_code=201)
def create_token(new: NewToken, services: ServicesDep, principal: Admin) -> MadeToken:
    """Make a token."""
    secret, facts = tokens.create_token_as(
        services.store, principal, services.clock(), role=new.role, name=new.name, days=new.days
    )
    return MadeToken(token=_token(facts), secret=secret)


@router.delete("/{token_id}", status_code=204, response_class=Response)
def revoke_token(token_id: TokenId, services: ServicesDep, principal: Admin) -> None:
    """Make a token useless at once, and end its sessions."""
    try:
        tokens.revoke_token(services.store, token_id, services.clock(), principal)
    except InvalidToken:
        detail = "there is no token in force with this id"
        raise ApiProblem(404, "no-such-token", detail) from None


def _token(facts: TokenFacts) -> Token:
    return Token(
        id=facts.id,
        name=facts.name,
        role=Role(facts.role),
        created=from_microseconds(facts.created),
        expires=from_microseconds(facts.expires) if facts.expires else None,
        state=facts.state,
    )
