"""What people did, and the details of it, as the audit page says them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sovproxy.prompt.languages import mark

ACT_WORDS: Final = MappingProxyType(
    {
        "events": mark("Searched events"),
        "event": mark("Opened an event"),
        "stream": mark("Followed events live"),
        "stream_end": mark("Stopped following"),
        "export": mark("Exported"),
        "facets": mark("Counted by facets"),
        "histogram": mark("Looked at a histogram"),
        "overview": mark("Looked at the overview"),
        "counts": mark("Counted connections"),
        "candidates": mark("Looked at candidates"),
        "sign_in": mark("Signed in"),
        "sign_out": mark("Signed out"),
        "sign_in_failed": mark("Sign-in failed"),
        "session_end": mark("Ended sessions"),
        "account_create": mark("Made an account"),
        "account_link": mark("Issued a one-time link"),
        "account_password": mark("Set a password"),
        "account_second_factor": mark("Changed a second factor"),
        "account_role": mark("Changed a role"),
        "account_disable": mark("Disabled an account"),
        "account_enable": mark("Enabled an account"),
        "account_delete": mark("Removed an account"),
        "token_create": mark("Made a token"),
        "token_revoke": mark("Revoked a token"),
        "policy_apply": mark("Applied a policy"),
        "policy_rollback": mark("Rolled a policy back"),
        "policy_to_settings": mark("Went back to the policy of the settings"),
        "policy_simulate": mark("Simulated a policy"),
        "policy_draft_save": mark("Saved a draft of a policy"),
        "policy_draft_delete": mark("Deleted a draft of a policy"),
        "catalogue_change": mark("Changed the local catalogue"),
        "room_create": mark("Had a room made on Visio"),
        "exception_grant": mark("Granted an exception"),
        "exception_refuse": mark("Refused an exception"),
        "exception_revoke": mark("Revoked an exception"),
        "exception_withdraw": mark("Withdrew an exception"),
        "resolution_shown": mark("Saw the person behind a pseudonym"),
        "resolution_request": mark("Asked for the person behind a pseudonym"),
        "resolution_approve": mark("Approved the resolving of a pseudonym"),
        "resolution_refuse": mark("Refused the resolving of a pseudonym"),
        "resolution_answer": mark("Resolved a pseudonym"),
        "resolution_lapse": mark("The resolving of a pseudonym lapsed"),
        "view_save": mark("Saved a view"),
        "view_change": mark("Changed a view"),
        "view_delete": mark("Deleted a view"),
        "finding_mark": mark("Marked a finding"),
        "finding_change": mark("Changed a finding"),
        "finding_note": mark("Wrote a note on a finding"),
        "finding_raise": mark("Raised a finding to a rule"),
        "suppress": mark("Suppressed findings"),
        "suppression_lift": mark("Lifted a suppression"),
        "node_forget": mark("Forgot a node"),
        "forward_test": mark("Tried a receiver"),
        "retention_run": mark("Deleted what is too old"),
        "audit_checkpoint": mark("Deleted old entries of the audit"),
        "person_request": mark("Asked for a person's data or its erasure"),
        "person_approve": mark("Approved a request about a person"),
        "person_refuse": mark("Refused a request about a person"),
        "person_access": mark("Was given a person's data"),
        "person_erasure": mark("Erased a person's data"),
    }
)
"""English texts by act. An act that is not here is shown by its own name."""

DETAIL_WORDS: Final = MappingProxyType(
    {
        "way": mark("way:"),
        "address": mark("from"),
        "login": mark("login name:"),
        "role": mark("role:"),
        "from": mark("before:"),
        "to": mark("now:"),
        "by": mark("by:"),
        "days": mark("days:"),
        "name": mark("name:"),
        "id": mark("id:"),
        "session": mark("session:"),
        "format": mark("format:"),
        "service": mark("service:"),
        "since": mark("since"),
        "until": mark("until"),
        "reason": mark("reason:"),
    }
)
