"""Papers of the processing: notice, record, annex for the assessment, and the self-check."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.errors import InvalidFile
from sovproxy.papers.markdown import finding_json, to_json
from sovproxy.papers.texts import PaperKind, PaperLanguage
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.upkeep.papers import Papers

router = APIRouter(
    prefix="/api/v1/papers", tags=["papers"], dependencies=[allow(Role.ADMIN, Role.AUDITOR)]
)

Lang = Annotated[PaperLanguage, Query(description="Language of the texts.")]


class PaperSource(BaseModel):
    """A fact that a sentence or finding was made from, and where to look it up."""

    key: str = Field(examples=["policy.retention.events"])
    place: str = Field(examples=["policy retention.events"])
    value: Any = Field(examples=[183])


class PaperSentence(BaseModel):
    """One sentence. `gaps` say what is missing in it."""

    id: str = Field(examples=["retention"])
    text: str
    gaps: list[str]
    sources: list[PaperSource]


class PaperSection(BaseModel):
    """Sentences under a heading."""

    id: str = Field(examples=["kept"])
    title: str
    sentences: list[PaperSentence]


class PaperDocument(BaseModel):
    """A whole paper. `gaps` are all things that are to be filled in."""

    paper: PaperKind
    language: PaperLanguage
    title: str
    gaps: list[str]
    sections: list[PaperSection]


class PaperRecommendation(BaseModel):
    """What is departed from. `known` says whether we have read it: `secondary` means not itself."""

    title: str
    known: Literal["primary", "secondary", "ours"]


class PaperFinding(BaseModel):
    """One thing that the self-check found: what, why it matters, what to do, by what source."""

    id: str = Field(examples=["retention-over-a-year"])
    level: Literal["departs", "look"]
    finds: str
    why: str
    do: str
    recommendations: list[PaperRecommendation]
    sources: list[PaperSource]


class PaperCheck(BaseModel):
    """The self-check: departures first. It never says that something is lawful."""

    findings: list[PaperFinding]


def papers_of(services: ServicesDep) -> Papers:
    """The papers of this installation. Raises ApiProblem where there are none."""
    if services.papers is None:
        raise ApiProblem(503, "no-papers", "this process does not know the settings")
    return services.papers


PapersDep = Annotated[Papers, Depends(papers_of)]


@router.get("/check", summary="Where the configuration departs from recommendations")
def check(papers: PapersDep, lang: Lang = PaperLanguage.FR) -> PaperCheck:
    """Look at policy, settings, particulars and this machine, and say what a person must judge."""
    try:
        found = papers.check(lang)
    except InvalidFile as error:
        raise _invalid(error) from error
    return PaperCheck.model_validate({"findings": [finding_json(item) for item in found]})


@router.get("/{paper}", summary="A paper, each sentence with its sources")
def paper(paper: PaperKind, papers: PapersDep, lang: Lang = PaperLanguage.FR) -> PaperDocument:
    """Write a paper from the policy in force and the settings."""
    try:
        return PaperDocument.model_validate(to_json(papers.paper(paper, lang)))
    except InvalidFile as error:
        raise _invalid(error) from error


def _invalid(error: InvalidFile) -> ApiProblem:
    return ApiProblem(503, "invalid-particulars", str(error))
