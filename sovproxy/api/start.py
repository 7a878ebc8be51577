"""Puts the API together from the settings of one installation."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sovproxy.api.app import create_app
from sovproxy.api.services import DataAge, Services
from sovproxy.atlas.follow import OwnEntries
from sovproxy.console.app import mount_console
from sovproxy.store.database import open_store
from sovproxy.store.sealing import Seal
from sovproxy.usecases.access.audit_chain import AuditWatch
from sovproxy.usecases.access.oidc import Provider
from sovproxy.usecases.access.oidc_settings import read_oidc
from sovproxy.usecases.access.workers import WorkerKeys
from sovproxy.usecases.ca.folder import CaFolder
from sovproxy.usecases.ca.watch import CaWatch
from sovproxy.usecases.nodes.fleet import fleet_keys
from sovproxy.usecases.policy.bundles import Bundles
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.local_catalogue import LocalCatalogue
from sovproxy.usecases.policy.policies import PolicyDesk
from sovproxy.usecases.upkeep.forwarding import Forwarding
from sovproxy.usecases.upkeep.papers import Papers
from sovproxy.usecases.worker.exceptions import ExceptionsInForce
from sovproxy.usecases.worker.rooms import read_visio

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sovproxy.settings import Settings

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0


def app_of(settings: Settings) -> FastAPI:
    """Make the app. Raises SovproxyError when policy, catalogue, databases or store are bad."""
    oidc, visio = read_oidc(settings), read_visio(settings)
    judge = Judge(settings)
    cache_bytes = settings.store_cache_mib * 1024 * 1024
    seal = Seal.of(settings.store_key_file)
    store = open_store(settings.effective_store_url, cache_bytes=cache_bytes, seal=seal)
    exceptions = ExceptionsInForce(store)
    judge.exceptions = exceptions.read(datetime.now(UTC))
    desk = PolicyDesk(store, judge, settings.data_dir)
    desk.keep_in_step()
    threading.Thread(target=_follow, args=(desk, exceptions), name="refresh", daemon=True).start()
    app = create_app(
        Services(
            store=store,
            judge=judge,
            proxy_address=f"{settings.proxy_host}:{settings.proxy_port}",
            ca_file=settings.ca_certificate,
            ca_state=CaWatch(CaFolder.of(settings), judge).state,
            internal_domains=lambda: judge.policy.internal_domains,
            retention_days=lambda: judge.policy.retention_days,
            oidc=Provider(oidc) if oidc else None,
            public_url=settings.public_url.rstrip("/"),
            exception_days=lambda: judge.policy.exception_days,
            local_catalogue=LocalCatalogue(settings.local_catalogue),
            own_entries=OwnEntries(settings.local_catalogue, needed=bool(settings.catalogue_dir)),
            data_ages=lambda: _data_ages(judge),
            policy_problem=lambda: judge.policy_file.last_error,
            pseudonyms=fleet_keys(settings.data_dir, judge.policy.retention_days),
            policies=desk,
            bundles=Bundles(judge, settings.bundle_key_file),
            metrics_open=settings.metrics_open,
            atlas=lambda: judge.atlas,
            policy=lambda: (judge.policy.id, judge.policy.version),
            audit_watch=AuditWatch(store, settings.audit_anchors_file),
            papers=Papers(settings, judge, store),
            workers=WorkerKeys(settings.worker_key_file, lambda: datetime.now(UTC)),
            visio=visio,
            forwarding=Forwarding.of(store, settings.forward, settings.node),
        )
    )
    mount_console(app, judge)
    return app


def _follow(desk: PolicyDesk, exceptions: ExceptionsInForce) -> None:
    """Notice changes of policy, databases and exceptions, for as long as the process lives."""
    while True:
        time.sleep(REFRESH_SECONDS)
        try:
            desk.keep_in_step()
            desk.judge.exceptions = exceptions.read(datetime.now(UTC))
        except Exception:
            log.exception("refresh failed; what was in force stays in force")


def _data_ages(judge: Judge) -> list[DataAge]:
    return [
        DataAge(status.kind, status.built, status.stale)
        for status in judge.databases.status(time.time())
    ]
