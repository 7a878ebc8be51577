"""Every target by its name."""

from __future__ import annotations

from . import hello, hosts, ingesting, policies, searches, signed, spool

MODULES = (hosts, hello, spool, policies, searches, ingesting, signed)
TARGETS = {target.name: target for module in MODULES for target in module.TARGETS}
