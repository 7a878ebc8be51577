"""Makes the node fail: what $LAB_FAULTS names (`judge`, `seek`, `seek_at`, `answer`) raises.

It fails only for hosts that have `faulty` in them, or are listed in $LAB_FAULTY (by comma).
"""

from __future__ import annotations

import os

from sovproxy.usecases.nodes.node import Node
from sovproxy.usecases.policy.judging import Judge

_faults = os.environ["LAB_FAULTS"].split(",")
_hosts = ("faulty", *filter(None, os.environ.get("LAB_FAULTY", "").split(",")))


def _fails(*words: object) -> bool:
    return any(host in str(word) for word in words for host in _hosts)


def _spoil(owner: type, name: str) -> None:
    sound = getattr(owner, name)

    def failing(self, *arguments, **more):
        if _fails(*arguments):
            raise RuntimeError(f"{name} failed on purpose")
        return sound(self, *arguments, **more)

    setattr(owner, name, failing)


if "judge" in _faults:
    _spoil(Judge, "judge")
if "seek" in _faults:
    _spoil(Node, "seek")
if "seek_at" in _faults:
    _spoil(Node, "seek_at")
if "look" in _faults:
    _spoil(Node, "look")
