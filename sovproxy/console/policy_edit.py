"""Editing a policy: its text with every problem beside it, quick changes, and saved drafts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from sovproxy.api.cookies import CSRF_HEADER
from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.policy_forms import (
    ACTIONS,
    changed,
    comment_in,
    desk_of,
    draft_of,
    may_apply,
    may_draft,
    number_in,
    require,
    save,
    text_in,
)
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.words import word
from sovproxy.errors import InvalidFile
from sovproxy.policy.edit import CannotEdit, group_ids, rule_ids
from sovproxy.prompt.languages import mark
from sovproxy.usecases.policy import drafting

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.console.view import View

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Editing:
    """What stands in the editor: a saved draft, or a text that is not saved yet."""

    text: str
    draft: str = ""
    comment: str = ""
    based_on: int = 0


@router.get("/policy/edit")
def edit_page(view: SignedInView) -> Response:
    """Show the editor: with a saved draft, an older version, or the policy in force."""
    require(may_draft(view))
    asked = view.request.query_params
    desk = desk_of(view)
    if draft := asked.get("draft", ""):
        saved = draft_of(view, draft)
        return _page(view, Editing(saved.text, saved.id, saved.comment, saved.based_on))
    found = desk.in_force()
    return _page(view, Editing(found.text, based_on=found.newest))


@router.post("/policy/edit")
def edit(view: SignedInView, form: CheckedForm) -> Response:
    """Check, change, save or go on to the differences, as the button says."""
    require(may_draft(view))
    text = text_in(form)
    editing = Editing(text, form.get("draft", ""), comment_in(form), number_in(form, "based_on"))
    match form.get("do", "check"):
        case "quick":
            return _quick(view, editing, form)
        case "save":
            saved = save(view, form)
            return done(view, f"/policy/edit?draft={saved.id}", mark("The draft is saved."))
        case "review":
            return _review(view, editing, form)
        case "delete":
            return _delete(view, editing)
        case _:
            return _page(view, editing)


def _quick(view: View, editing: Editing, form: CheckedForm) -> Response:
    problem = ""
    text = editing.text
    try:
        text = changed(editing.text, form, view.now.date())
    except (CannotEdit, ValueError) as error:
        problem = str(error)
    except InvalidFile:
        problem = view.language.say("Mend the errors in the text first.")
    new = Editing(text, editing.draft, editing.comment, editing.based_on)
    return _page(view, new, problem=problem, before=editing.text)


def _review(view: View, editing: Editing, form: CheckedForm) -> Response:
    """Go on with a text that could be applied; a refused one stays in the editor."""
    if not desk_of(view).findings(editing.text).valid:
        return _page(view, editing, problem=view.language.say("Mend the errors in the text first."))
    saved = save(view, form)
    return done(view, f"/policy/diff?draft={saved.id}", mark("The draft is saved."))


def _delete(view: View, editing: Editing) -> Response:
    try:
        drafting.delete_draft(view.store, view.principal, editing.draft, view.now)
    except (drafting.NoSuchDraft, drafting.NotYourDraft) as error:
        raise Refused(400, str(error)) from None
    return done(view, "/policy/edit", mark("The draft is deleted."))


def _page(
    view: View, editing: Editing, *, problem: str = "", before: str | None = None
) -> Response:
    """The editor; with the text `before` a quick change, what that change made odd as well."""
    desk = desk_of(view)
    check = desk.findings(editing.text)
    was_changed = before is not None and before != editing.text
    old = {item.message for item in desk.findings(before).warnings} if before else set()
    return render(
        view,
        "policy_edit.html",
        editing=editing,
        check=check,
        newest=desk.in_force().newest,
        rules=_ids(rule_ids, editing.text),
        groups=_ids(group_ids, editing.text),
        words=[(action, view.language.say(word("action", action))) for action in ACTIONS],
        zip=zip,
        drafts=drafting.list_drafts(view.store),
        may_apply=may_apply(view),
        csrf_header=CSRF_HEADER,
        problem=problem,
        was_changed=was_changed,
        made_odd=[item for item in check.warnings if was_changed and item.message not in old],
    )


def _ids(read: Callable[[str], list[str]], text: str) -> list[str]:
    """The rules or groups of a text; none while it cannot be read."""
    try:
        return read(text)
    except (InvalidFile, CannotEdit):
        return []
