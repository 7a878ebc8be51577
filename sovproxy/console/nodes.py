"""Nodes: which there are, how they are, what is in force there; one of them in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Response

from sovproxy.api.routes.fleet import fleet_of
from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.nodes.fleet import NodeState, NoSuchNode, forget_node, list_nodes

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.usecases.nodes.fleet import NodeList

router = APIRouter(prefix="/nodes")

MOST: Final = 500
MAX_ID: Final = 2**63 - 1

COUNTERS: Final = {
    "passed": mark("Let through"),
    "observed": mark("Observed"),
    "excepted": mark("Let through by an exception"),
    "acknowledged": mark("Gone on after a warning"),
    "warned": mark("Warned"),
    "blocked": mark("Blocked"),
    "prompts": mark("Prompts shown"),
    "refused_connects": mark("CONNECT refused"),
    "closed": mark("Connections closed"),
    "decrypted": mark("Answered inside their TLS"),
    "requests": mark("Exceptions asked for"),
    "hook_errors": mark("Failed decisions"),
    "unwritable_records": mark("Records that could not be written"),
    "delivery_failures": mark("Failed deliveries"),
}
"""What nodes count, in the order in which it is shown."""

_ORDER: Final = (NodeState.SILENT, NodeState.PROBLEM, NodeState.OK)
_FORGOTTEN: Final = mark("Node %(name)s is forgotten.")

NodeId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("")
def nodes(view: SignedInView) -> Response:
    """List the nodes, those first that need somebody."""
    found = _found(view)
    items = sorted(found.items, key=lambda item: _ORDER.index(item.state))
    states = {state: sum(item.state is state for item in items) for state in _ORDER}
    return render(view, "nodes.html", nodes=items[:MOST], states=states, applied=found.applied)


@router.get("/{node_id}")
def one(node_id: NodeId, view: SignedInView) -> Response:
    """Show all that a node says of itself."""
    found = _found(view)
    node = next((item for item in found.items if item.id == node_id), None)
    if node is None:
        raise HTTPException(404)
    return render(view, "node.html", node=node, applied=found.applied, counters=COUNTERS)


@router.post("/{node_id}/forget")
def forget(node_id: NodeId, view: SignedInView, form: CheckedForm) -> Response:
    """Forget a node that is retired."""
    if view.principal.role is not Role.ADMIN:
        raise Refused(403, "only an admin forgets nodes")
    try:
        forget_node(view.store, view.principal, node_id, view.now)
    except NoSuchNode:
        raise HTTPException(404) from None
    return done(view, "/nodes", _FORGOTTEN, name=form.get("name", "")[:64])


def _found(view: View) -> NodeList:
    return list_nodes(fleet_of(view.console.services))
