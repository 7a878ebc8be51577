"""The closed vocabularies of DESIGN.md §2 as people read them, and marks that need no colour."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sovproxy.console.act_words import ACT_WORDS, DETAIL_WORDS
from sovproxy.prompt.languages import mark

WORDS: Final = MappingProxyType(
    {
        "action": {
            "allow": mark("Allow"),
            "observe": mark("Observe"),
            "warn": mark("Warn"),
            "block": mark("Block"),
        },
        "standing": {
            "sovereign": mark("Sovereign"),
            "hosted_here_controlled_abroad": mark("Hosted here, controlled abroad"),
            "abroad": mark("Abroad"),
            "unknown": mark("Unknown"),
        },
        "exception": {
            "waiting": mark("Waiting"),
            "granted": mark("Granted"),
            "refused": mark("Refused"),
            "expired": mark("Expired"),
            "revoked": mark("Revoked"),
            "withdrawn": mark("Withdrawn"),
        },
        "meeting": {"host": mark("hosts it"), "guest": mark("is a guest")},
        "scope": {
            "client": mark("this client only"),
            "group": mark("the whole group"),
            "everybody": mark("everybody"),
        },
        "outcome": {
            "prompted": mark("Prompt shown"),
            "problem_answered": mark("Machine answer"),
            "connect_refused": mark("Connection refused"),
            "closed": mark("Closed"),
            "tunnelled": mark("Tunnelled"),
        },
        "transport": {
            "https": mark("HTTPS"),
            "http": mark("HTTP"),
            "tcp": mark("TCP"),
        },
        "answer": {"yes": mark("yes"), "no": mark("no")},
        "finding": {
            "event": mark("Event"),
            "host": mark("Host"),
            "service": mark("Service"),
            "asn": mark("Network (ASN)"),
            "operator": mark("Operator"),
            "pair": mark("Service of a group"),
            "group": mark("Group"),
        },
        "state": {
            "new": mark("New"),
            "in_review": mark("In review"),
            "confirmed": mark("Confirmed"),
            "dismissed": mark("Dismissed"),
            "raised": mark("Raised to a rule"),
        },
        "note": {
            "note": mark("Note"),
            "state": mark("State"),
            "assignee": mark("Who works on it"),
            "tags": mark("Tags"),
        },
        "resolution": {
            "waiting": mark("Waits for approval"),
            "approved": mark("Approved; a node is asked"),
            "refused": mark("Refused"),
            "lapsed": mark("Lapsed"),
            "answered": mark("Answered"),
            "erased": mark("Answer erased"),
        },
        "role": {
            "admin": mark("admin"),
            "analyst": mark("analyst"),
            "auditor": mark("auditor"),
            "node": mark("node"),
            "worker": mark("worker"),
        },
        "act": ACT_WORDS,
        "detail": DETAIL_WORDS,
        "way": {
            "password": mark("with a password"),
            "provider": mark("at the OpenID provider"),
            "link": mark("by a link not used yet"),
        },
        "account": {"disabled": mark("Disabled")},
        "token": {
            "valid": mark("Works"),
            "expired": mark("Expired"),
            "revoked": mark("Revoked"),
        },
        "kept": {
            "events": mark("Events and hosts"),
            "exceptions": mark("Clients and texts of exceptions"),
            "rollups": mark("Rollups and counts"),
            "acknowledgements": mark("Acknowledgements"),
            "meetings": mark("Meetings"),
            "sessions": mark("Sessions"),
            "audit": mark("Audit"),
        },
        "health": {
            "ok": mark("In order"),
            "degraded": mark("Works, with something old"),
            "failing": mark("Fails"),
        },
        "node_state": {
            "ok": mark("In order"),
            "degraded": mark("Needs attention"),
            "failing": mark("Silent"),
        },
        "origin": {
            "settings": mark("file from the settings"),
            "imported": mark("imported"),
            "baseline": mark("shipped baseline"),
        },
        "kind": {
            "decision": mark("Decision"),
            "acknowledgement": mark("Acknowledgement"),
            "error": mark("Error"),
        },
        "verification": {
            "verified": mark("Verified"),
            "mixed": mark("Mixed"),
            "recalled": mark("Recalled"),
            "stale": mark("Out of date"),
        },
        "effect": {"disclose": mark("Disclosure"), "cut_off": mark("Cutting off")},
        "status": {
            "in_force": mark("In force"),
            "lapsed": mark("Lapsed"),
            "proposed": mark("Proposed"),
        },
        "stance": {
            "keep": mark("Keep"),
            "replace": mark("Replace"),
            "choose": mark("To be decided"),
            "watch": mark("Watch"),
            "label": mark("Label only"),
        },
        "category": {
            "ai-api": mark("AI interface"),
            "ai-assistant": mark("AI assistant"),
            "ai-notetaker": mark("AI note-taker"),
            "ai-research": mark("AI research"),
            "anonymiser": mark("Anonymiser"),
            "cdn": mark("Content delivery"),
            "cloud": mark("Cloud"),
            "collaboration": mark("Collaboration"),
            "connectivity": mark("Connectivity"),
            "creative": mark("Creative work"),
            "crm": mark("Customer relations"),
            "dev-platform": mark("Development platform"),
            "e-signature": mark("Electronic signature"),
            "email": mark("E-mail"),
            "erp": mark("Business management"),
            "file-sharing": mark("File sharing"),
            "identity": mark("Identity"),
            "media": mark("Media"),
            "messaging": mark("Messaging"),
            "office-suite": mark("Office suite"),
            "portal": mark("Portal"),
            "remote-access": mark("Remote access"),
            "search": mark("Search engine"),
            "social-network": mark("Social network"),
            "tracker": mark("Tracker"),
            "translation": mark("Translation"),
            "video-hosting": mark("Video hosting"),
            "videoconference": mark("Videoconference"),
            "videoconference-infra": mark("Videoconference infrastructure"),
        },
        "field": {
            "since": mark("From"),
            "until": mark("Until"),
            "service": mark("Service"),
            "operator": mark("Operator"),
            "control": mark("Control"),
            "standing": mark("Standing"),
            "action": mark("Action"),
            "rule": mark("Rule"),
            "group": mark("Group"),
            "node": mark("Node"),
            "client": mark("Client"),
            "host": mark("Host"),
            "host_contains": mark("Host contains"),
            "location": mark("Location"),
            "asn": mark("Network (ASN)"),
            "address": mark("Address"),
            "port": mark("Port"),
            "outcome": mark("Outcome"),
            "kind": mark("Kind"),
            "transport": mark("Transport"),
            "decrypted": mark("Decrypted"),
            "alternative": mark("Alternative"),
            "reason": mark("Reason"),
            "policy": mark("Policy"),
            "policy_version": mark("Policy version"),
            "category": mark("Category"),
            "verification": mark("Verification"),
            "stance": mark("Stance"),
            "powers": mark("Powers"),
        },
    }
)
"""English words by vocabulary and value. A value that is not here is shown as it is."""


def word(vocabulary: str, value: str) -> str:
    """The English word for a value of a vocabulary, ready for `Language.say`."""
    return WORDS.get(vocabulary, {}).get(value, value)
