"""What the pages about policies share: the desk, drafts, and who may do what."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from sovproxy.console.failures import Refused
from sovproxy.policy.applied import MAX_TEXT_BYTES
from sovproxy.policy.edit import value_of, with_value
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.policy import drafting
from sovproxy.usecases.policy.drafting import Saving
from sovproxy.usecases.policy.policies import MAX_COMMENT, Deed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View
    from sovproxy.usecases.policy.drafting import DraftText
    from sovproxy.usecases.policy.policies import PolicyDesk

DRAFTERS: Final = frozenset({Role.ANALYST, Role.ADMIN})
"""Who may write drafts and simulate them. Only admins apply."""

ACTIONS: Final = ("allow", "observe", "warn", "block")

type Form = Mapping[str, str]


def desk_of(view: View) -> PolicyDesk:
    """The desk of this installation. Raises Refused where there is none."""
    desk = view.console.services.policies
    if desk is None:
        raise Refused(503, "this process does not manage policies")
    return desk


def may_draft(view: View) -> bool:
    """Whether the reader may write and simulate drafts."""
    return view.principal.role in DRAFTERS


def may_apply(view: View) -> bool:
    """Whether the reader may put a policy in force."""
    return view.principal.role is Role.ADMIN


def require(allowed: bool) -> None:
    """Raises Refused for somebody of another role."""
    if not allowed:
        raise Refused(403)


def number_in(form: Form, name: str) -> int:
    """A number that a page of ours wrote into a form; 0 if there is none. Raises Refused."""
    text = form.get(name, "") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(400, f"{name} is no number of a version")
    return int(text)


def text_in(form: Form) -> str:
    """The policy's text in a form, with the line ends that files have. Raises Refused."""
    text = form.get("text", "").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text or len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise Refused(400, f"a text of at most {MAX_TEXT_BYTES // 1024} KiB without NUL is wanted")
    return text


def comment_in(form: Form) -> str:
    """The comment in a form, on one line. Raises Refused."""
    comment = " ".join(form.get("comment", "").split())
    if len(comment) > MAX_COMMENT or not comment.isprintable():
        raise Refused(400, f"a comment of at most {MAX_COMMENT} printable characters is wanted")
    return comment


def deed_of(view: View, form: Form) -> Deed:
    """Who changes the policy, and which version they had seen."""
    return Deed(view.principal, view.now, number_in(form, "based_on"), comment_in(form))


def draft_of(view: View, draft: str) -> DraftText:
    """A saved draft. Raises Refused."""
    try:
        return drafting.get_draft(view.store, draft)
    except drafting.NoSuchDraft as error:
        raise Refused(404, str(error)) from None


def save(view: View, form: Form) -> DraftText:
    """Save the draft of a form; one of somebody else becomes an own one. Raises Refused."""
    saving = Saving(text_in(form), comment_in(form), number_in(form, "based_on"))
    draft = form.get("draft", "")
    try:
        try:
            return drafting.save_draft(view.store, view.principal, saving, view.now, draft)
        except (drafting.NoSuchDraft, drafting.NotYourDraft):
            return drafting.save_draft(view.store, view.principal, saving, view.now)
    except drafting.TooManyDrafts as error:
        raise Refused(400, str(error)) from None


def changed(text: str, form: Form, today: date) -> str:
    """The text after the quick change that a form asks for. Raises InvalidFile, CannotEdit."""
    rule, action, start = form.get("rule", ""), form.get("action", ""), form.get("start", "")
    if action in ACTIONS:
        text = _with_action(text, rule, action, start, today)
    match form.get("whom", ""):
        case "everybody":
            text = with_value(text, rule, ("when", "group"), None)
        case "groups":
            groups = sorted(name.removeprefix("group:") for name in form if name[:6] == "group:")
            if groups:
                text = with_value(text, rule, ("when", "group"), groups)
    return text


def _with_action(text: str, rule: str, action: str, start: str, today: date) -> str:
    """With a day the rule goes on as it is until then, without one it changes at once."""
    if not start:
        return with_value(with_value(text, rule, ("action",), action), rule, ("phases",), None)
    day = date.fromisoformat(start)
    present = value_of(text, rule, ("action",))
    phases = value_of(text, rule, ("phases",))
    if isinstance(phases, dict):
        return with_value(text, rule, ("phases", action), day)
    before = {str(present): today} if isinstance(present, str) and present != action else {}
    with_phases = with_value(text, rule, ("phases",), {**before, action: day})
    return with_value(with_phases, rule, ("action",), None)
