"""What analysts' use cases refuse, as problems: one table for views, findings and resolutions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sovproxy.api.problems import ApiProblem
from sovproxy.usecases.analysis.findings import NoSuchFinding, TooManyNotes
from sovproxy.usecases.analysis.resolving_clients import (
    NoSuchResolution,
    NotWaiting,
    SamePerson,
    TooManyResolutions,
)
from sovproxy.usecases.analysis.search_words import InvalidSearch
from sovproxy.usecases.analysis.suppressing import NoSuchSuppression, TooManySuppressions
from sovproxy.usecases.analysis.views import NoSuchView, NotYourView, TooManyViews
from sovproxy.usecases.versions import Changed
from sovproxy.usecases.worker.persons import NobodyFound, NoSuchRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.errors import SovproxyError

PROBLEMS: Final[dict[type[SovproxyError], tuple[int, str]]] = {
    NobodyFound: (409, "nobody-found"),
    NoSuchRequest: (404, "no-such-request"),
    InvalidSearch: (422, "invalid-request"),
    Changed: (412, "changed"),
    NoSuchFinding: (404, "no-such-finding"),
    NoSuchResolution: (404, "no-such-resolution"),
    NoSuchSuppression: (404, "no-such-suppression"),
    NoSuchView: (404, "no-such-view"),
    NotWaiting: (409, "not-waiting"),
    NotYourView: (403, "not-yours"),
    SamePerson: (403, "same-person"),
    TooManyNotes: (409, "too-many"),
    TooManyResolutions: (409, "too-many"),
    TooManySuppressions: (409, "too-many"),
    TooManyViews: (409, "too-many"),
}


@contextmanager
def told() -> Iterator[None]:
    """Answer what a use case refuses with its problem. Raises ApiProblem."""
    try:
        yield
    except tuple(PROBLEMS) as error:
        status, slug = PROBLEMS[type(error)]
        raise ApiProblem(status, slug, str(error)) from None
