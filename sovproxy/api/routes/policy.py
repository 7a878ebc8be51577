"""The policy: what is in force, its history, checking, simulating and applying drafts."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.etags import IfMatch  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.problems import ApiProblem
from sovproxy.api.routes.check import (  # noqa: TC001  # FastAPI reads annotations
    Address,
    Destination,
    Group,
)
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.policy.applied import MAX_TEXT_BYTES
from sovproxy.policy.compare import compare
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.policy import policies
from sovproxy.usecases.policy.policies import MAX_COMMENT, Deed, PolicyDesk
from sovproxy.usecases.policy.simulation import Simulation, SimulationInput
from sovproxy.usecases.versions import matches

router = APIRouter(prefix="/api/v1/policy", tags=["policy"])

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN, Role.AUDITOR)]
Analyst = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]
Admin = Annotated[Principal, allow(Role.ADMIN)]

type Responses = dict[int | str, dict[str, Any]]

MAX_PAGE: Final = 100
_BODY: Final = 4 * MAX_TEXT_BYTES
BODY_BYTES: Final = {"/api/v1/policy/": _BODY, "/console/policy/": _BODY}
"""A text of the largest size has room, with all its letters written as escapes."""

_EXAMPLE = "id: ours\ntitle: {en: Our policy}\ntrust_zone: [EEA]\ndefault: allow\n"
_LAST = 2**31 - 1


def _clean(text: str) -> str:
    if not text.isprintable():
        raise ValueError("only printable characters are wanted")
    return text.strip()


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text without NUL characters is wanted")
    return text


Text = Annotated[
    str,
    Field(max_length=MAX_TEXT_BYTES, description="The YAML as it is written.", examples=[_EXAMPLE]),
    AfterValidator(_no_nul),
]
Comment = Annotated[
    str, Field(max_length=MAX_COMMENT, examples=["Teams is blocked"]), AfterValidator(_clean)
]
Number = Annotated[int, Field(ge=0, le=_LAST, examples=[4])]
PathNumber = Annotated[int, Path(alias="number", ge=1, le=_LAST)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextInput(_Input):
    """A draft."""

    text: Text


class ApplyInput(TextInput):
    """A draft, why it is applied, and the number of the newest version when it was begun."""

    comment: Comment = ""
    based_on: Number


class RollbackInput(_Input):
    """The version whose text is to be in force again; 0 for the policy of the settings."""

    number: Number
    comment: Comment = ""
    based_on: Number


class ExplainInput(TextInput):
    """A draft, and one destination to judge by it."""

    q: Destination
    ip: Address = ""
    group: Group = ""


class SimulateInput(SimulationInput):
    """A draft, and which recorded traffic to judge by it."""

    text: Text


class RuleChange(BaseModel):
    """A rule that both texts have: keys whose values differ, and whether it moved."""

    id: str
    keys: list[str]
    moved: bool


class DiffAnswer(BaseModel):
    """How two versions differ: a unified diff, and what that means for rules and other keys."""

    diff: str
    added: list[str]
    removed: list[str]
    changed: list[RuleChange]
    keys: list[str]
    readable: bool


class DiffQuery(_Input):
    """Two versions; 0 is the policy in force."""

    from_: Number = Field(alias="from")
    to: Number = 0


class VersionQuery(_Input):
    """A page of the history."""

    limit: int = Field(default=20, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(default=None, ge=1, le=_LAST, description="`next` of a page before.")


def desk_of(services: ServicesDep) -> PolicyDesk:
    """The desk of this installation. Raises ApiProblem where there is none."""
    if services.policies is None:
        raise ApiProblem(503, "no-policies", "this process does not manage policies")
    return services.policies


Desk = Annotated[PolicyDesk, Depends(desk_of)]
_CHANGED: Final[Responses] = {409: {"description": "Somebody else applied a policy meanwhile."}}
_REFUSED: Final[Responses] = {
    422: {"description": "Refused; `errors` names every line that is wrong."}
}


@router.get("", responses={304: {"description": "It is what the ETag stands for."}})
def policy_in_force(
    response: Response,
    _reader: Reader,
    desk: Desk,
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
) -> policies.InForce:
    """Give the policy in force here, its text, and who applied it."""
    found = desk.in_force()
    response.headers["etag"] = found.etag
    response.headers["cache-control"] = "private, no-cache"
    if found.etag in if_none_match or if_none_match == "*":
        response.status_code = 304
        return Response(status_code=304, headers=dict(response.headers))  # type: ignore[return-value]
    return found


@router.get("/versions")
def policy_versions(
    query: Annotated[VersionQuery, Query()], _reader: Reader, desk: Desk
) -> policies.VersionPage:
    """Give the history, newest first, without the texts."""
    return policies.version_page(desk.store, query.limit, query.cursor)


@router.get("/versions/{number}")
def policy_version(number: PathNumber, _reader: Reader, desk: Desk) -> policies.VersionText:
    """Give one version with its text."""
    return policies.version_text(desk.store, number)


@router.get("/diff")
def policy_diff(query: Annotated[DiffQuery, Query()], _reader: Reader, desk: Desk) -> DiffAnswer:
    """Tell how two versions differ, line by line and rule by rule."""
    names = [f"version {n}" if n else "in force" for n in (query.from_, query.to)]
    old, new = (_text(desk, number) for number in (query.from_, query.to))
    found = compare(old, new, *names)
    return DiffAnswer(
        diff="\n".join(found.lines),
        added=list(found.added),
        removed=list(found.removed),
        changed=[RuleChange(id=i.id, keys=list(i.keys), moved=i.moved) for i in found.changed],
        keys=list(found.keys),
        readable=found.readable,
    )


def _text(desk: PolicyDesk, number: int) -> str:
    return policies.version_text(desk.store, number).text if number else desk.in_force().text


@router.post("/validate")
def validate_policy(body: TextInput, _reader: Reader, desk: Desk) -> policies.Check:
    """Check a draft: every problem with line and column, the same as `sovproxy policy validate`."""
    return desk.findings(body.text)


@router.post("/explain", responses=_REFUSED)
def explain_policy(body: ExplainInput, _reader: Reader, desk: Desk) -> Mapping[str, object]:
    """Judge one destination by a draft, with the whole trace. Nothing is recorded."""
    draft = desk.check(body.text).policy
    return desk.judge.check_under(draft, body.q, body.ip, body.group)


@router.post("/simulate", responses=_REFUSED)
def simulate_policy(
    body: SimulateInput, principal: Analyst, services: ServicesDep, desk: Desk
) -> Simulation:
    """Tell what a draft would change on recorded traffic. One at a time for each person."""
    asked = SimulationInput.model_construct(
        **{name: getattr(body, name) for name in body.model_fields_set - {"text"}}
    )
    return desk.simulate(principal, body.text, asked, services.clock())


@router.post("/apply", responses=_CHANGED | _REFUSED)
def apply_policy(
    body: ApplyInput, principal: Admin, services: ServicesDep, desk: Desk, if_match: IfMatch = ""
) -> policies.Version:
    """Put a draft in force as a new version, on every node within about a second."""
    _require_match(desk, if_match)
    return desk.apply(_deed(principal, services, body), body.text)


@router.post("/rollback", responses=_CHANGED | _REFUSED)
def roll_back_policy(
    body: RollbackInput, principal: Admin, services: ServicesDep, desk: Desk, if_match: IfMatch = ""
) -> policies.Version:
    """Put an older version in force again, as a new one; 0 goes back to the settings' policy."""
    _require_match(desk, if_match)
    deed = _deed(principal, services, body)
    return desk.roll_back(deed, body.number) if body.number else desk.to_settings(deed)


def _deed(principal: Principal, services: Services, body: ApplyInput | RollbackInput) -> Deed:
    return Deed(principal, services.clock(), body.based_on, body.comment)


def _require_match(desk: PolicyDesk, if_match: str) -> None:
    """Raises ApiProblem (412) when the policy in force is not the one that was looked at."""
    if not matches(if_match, desk.in_force().etag):
        detail = "another policy is in force than the one that If-Match names; look at it first"
        raise ApiProblem(412, "policy-changed", detail)
