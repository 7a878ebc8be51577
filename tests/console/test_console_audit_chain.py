"""The audit's page says how far the audit was checked, and when it does not fit."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

from sqlalchemy import text

from sovproxy.usecases.access.tokens import Role


def test_the_page_says_how_far_the_audit_was_checked_and_then_what_is_wrong(empty_site):
    with closing(empty_site.client(Role.AUDITOR)) as auditor:
        empty_site.services.audit_watch.check(datetime.now(UTC))
        assert "Checked up to entry 1, " in auditor.get("/console/audit").text
        with empty_site.services.store.writing() as connection:
            connection.execute(text("DROP TRIGGER audit_no_update"))
            connection.execute(text("UPDATE audit SET name = '<b>Eve</b>'"))
        empty_site.services.audit_watch.check(datetime.now(UTC))
        page = auditor.get("/console/audit").text
        assert "The audit does not fit: changed: entry 1 was changed" in page
        assert "Checked up to entry" not in page
        assert "<b>Eve" not in page
