"""Is it well, and which version is it."""

from __future__ import annotations

from importlib.metadata import version as package_version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from sovproxy.api.access import EVERYBODY, CallerDep, allow
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.store.database import StoreUnavailable
from sovproxy.store.queries import last_arrival
from sovproxy.usecases.access.tokens import Role

router = APIRouter(prefix="/api/v1", tags=["status"])

_POLICY_REFUSED = "the policy file is refused; the last good policy stays in force"
_CA_PROBLEM = "something is to be done about the CA: `sovproxy ca show`"
_MAY_SEE_DETAILS = {Role.ADMIN, Role.ANALYST, Role.AUDITOR}


class Part(BaseModel):
    """One thing that can be well or not. `problem` is empty, or says what is wrong."""

    ok: bool
    problem: str = ""


class DataPart(BaseModel):
    """A database in use: the day (ISO, or empty) it was true, and whether that is too old."""

    name: str
    as_of: str
    stale: bool


class Health(BaseModel):
    """`degraded`: it works, with an old policy or old data. `failing`: it cannot do its work."""

    status: Literal["ok", "degraded", "failing"]
    store: Part
    policy: Part
    forwarding: Part
    ca: Part
    data: list[DataPart]


class Version(BaseModel):
    """The version of sovproxy and of this API."""

    version: str
    api: str


@router.get(
    "/health",
    dependencies=[EVERYBODY],
    responses={503: {"model": Health, "description": "The store cannot be used."}},
)
def health(services: ServicesDep, response: Response, caller: CallerDep = None) -> Health:
    """Tell whether everything works: 200 if so or degraded, 503 if not.

    The problems of policy, forwarding and CA are told to admins, analysts and auditors only.
    """
    store = _store_part(services)
    trusted = caller is not None and caller.role in _MAY_SEE_DETAILS
    policy = _part(services.policy_problem(), _POLICY_REFUSED, trusted=trusted)
    lost = "; ".join(state.problem for _, state in services.forwarding.states() if state.problem)
    forwarding = _part(lost, "a receiver is lost; events wait for it", trusted=trusted)
    ca = _part("; ".join(_ca_problems(services)), _CA_PROBLEM, trusted=trusted)
    data = [DataPart(name=i.name, as_of=i.as_of, stale=i.stale) for i in services.data_ages()]
    degraded = not (policy.ok and forwarding.ok and ca.ok) or any(item.stale for item in data)
    status = "degraded" if degraded else "ok"
    if not store.ok:
        response.status_code = 503
        response.headers["retry-after"] = "5"
    return Health(
        status=status if store.ok else "failing",
        store=store,
        policy=policy,
        forwarding=forwarding,
        ca=ca,
        data=data,
    )


@router.get("/version", dependencies=[allow(*Role)])
def version() -> Version:
    """Tell the version."""
    return Version(version=package_version("sovproxy"), api="v1")


def _part(problem: str, public: str, *, trusted: bool) -> Part:
    """Well without a problem; else the problem for those who may know, `public` for others."""
    return Part(ok=not problem, problem=problem if trusted or not problem else public)


def _ca_problems(services: Services) -> tuple[str, ...]:
    state = services.ca_state()
    return state.problems if state else ()


def _store_part(services: Services) -> Part:
    try:
        last_arrival(services.store)
    except StoreUnavailable:
        return Part(ok=False, problem="the store cannot be used now")
    return Part(ok=True)
