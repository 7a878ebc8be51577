"""What only the administration can say, in a small YAML file: who is responsible, why, since when.

All of it may be missing; papers then show a gap and say what belongs there.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sovproxy.policy.fields import (  # pydantic reads annotations
    Email,  # noqa: TC001
    Line,  # noqa: TC001
    Link,  # noqa: TC001
    Phone,  # noqa: TC001
    Proses,  # noqa: TC001
    Texts,  # noqa: TC001
)
from sovproxy.yamlfile import read_model

if TYPE_CHECKING:
    from pathlib import Path

Basis = Literal["6.1.c", "6.1.e", "6.1.f"]
Degree = Literal["negligible", "limited", "significant", "maximum"]
Risk = Literal["identified", "stolen", "decrypted", "forged", "stopped", "watched"]
RISKS: tuple[Risk, ...] = ("identified", "stolen", "decrypted", "forged", "stopped", "watched")
"""The risks that the annex for the impact assessment goes through."""

COUNTRY = r"^[A-Z]{2}$"
_FIRST_YEAR, _LAST_YEAR = 2000, 2199


def _plausible(day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"is not between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return day


Day = Annotated[date, AfterValidator(_plausible)]


class Part(BaseModel):
    """The base of all parts: unknown keys are errors, a key without a value counts as missing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None}


class Controller(Part):
    """Who is responsible (GDPR art. 4(7))."""

    name: Texts | None = Field(default=None, description="Its name, by language.")
    address: Line | None = Field(default=None, description="Its postal address.")
    email: Email | None = Field(default=None, description="Its mail address.")


class Officer(Part):
    """The data protection officer (GDPR art. 37)."""

    name: Line | None = Field(default=None, description="Name or office.")
    email: Email | None = Field(default=None, description="Mail address for questions and rights.")
    phone: Phone | None = Field(default=None, description="Telephone number.")


class LegalBasis(Part):
    """On which of the grounds of GDPR art. 6(1) the processing rests."""

    article: Basis | None = Field(
        default=None,
        description="`6.1.c` legal obligation, `6.1.e` task in the public interest, `6.1.f`"
        " legitimate interest.",
    )
    why: Proses = Field(default={}, description="The reasons for that choice, by language.")
    balancing: Line | None = Field(
        default=None, description="Where the balancing of interests is kept (for `6.1.f`)."
    )


class Consultation(Part):
    """Staff representatives, consulted before deployment."""

    body: Texts | None = Field(default=None, description="Who was consulted, by language.")
    date: Day | None = Field(default=None, description="When.")
    opinion: Proses = Field(default={}, description="Their opinion, by language.")


class NoticeGiven(Part):
    """How and since when staff know."""

    date: Day | None = Field(default=None, description="When the notice was given to staff.")
    how: Texts | None = Field(default=None, description="How it reaches them, by language.")


class Authority(Part):
    """The supervisory authority to which one may complain (GDPR art. 77)."""

    name: Texts | None = Field(default=None, description="Its name, by language.")
    url: Link | None = Field(default=None, description="Its page for complaints (https).")


class Hosting(Part):
    """Where the machines stand that hold the data."""

    place: Texts | None = Field(default=None, description="The place and who runs it.")
    country: str | None = Field(default=None, pattern=COUNTRY, description="ISO code, such as FR.")


class Recipient(Part):
    """Somebody outside the administration who receives data, or works on them for it."""

    name: Line = Field(description="Its name.")
    purpose: Texts = Field(description="What it receives or does, by language.")
    country: str = Field(pattern=COUNTRY, description="Country of its seat (ISO code).")
    contract: Line | None = Field(
        default=None, description="For processors: the contract of GDPR art. 28."
    )


class Rating(Part):
    """How grave and how likely a risk is once the measures are there; who is responsible judges."""

    severity: Degree | None = Field(
        default=None, description="`negligible`, `limited`, `significant` or `maximum`."
    )
    likelihood: Degree | None = Field(default=None, description="The same four degrees.")


class Assessment(Part):
    """The impact assessment itself (GDPR art. 35)."""

    date: Day | None = Field(default=None, description="When it was made or last reviewed.")
    review: Day | None = Field(default=None, description="When it is to be looked at again.")
    opinion: Proses = Field(default={}, description="Opinion of the data protection officer.")
    views: Proses = Field(default={}, description="Views of the persons concerned, art. 35(9).")
    decision: Proses = Field(default={}, description="What the controller has decided.")
    risks: dict[Risk, Rating] = Field(default={}, description="Each risk, with its degrees.")


class Particulars(Part):
    """A `papers.yaml`."""

    controller: Controller = Field(default=Controller(), description="Who is responsible.")
    dpo: Officer = Field(default=Officer(), description="The data protection officer.")
    purpose: Proses = Field(default={}, description="What it is for, by language.")
    legal_basis: LegalBasis = Field(default=LegalBasis(), description="On what ground.")
    consultation: Consultation = Field(
        default=Consultation(), description="Consultation of staff representatives."
    )
    notice: NoticeGiven = Field(default=NoticeGiven(), description="The notice to staff.")
    personal_use: Proses = Field(
        default={},
        description="What holds for personal use, and whether there is a way for it that is not"
        " analysed.",
    )
    authority: Authority = Field(default=Authority(), description="The supervisory authority.")
    hosting: Hosting = Field(default=Hosting(), description="Where the data are.")
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=100)] = Field(
        default=(), description="Others who receive data or work on them."
    )
    transfers: Proses = Field(
        default={}, description="Transfers to third countries and their safeguards, or that none."
    )
    assessment: Assessment = Field(default=Assessment(), description="The impact assessment.")


def read_particulars(path: Path, *, needed: bool) -> Particulars:
    """Read the file; without one all is missing, unless it is `needed`. Raises InvalidFile."""
    if not needed and not path.exists():
        return Particulars()
    return read_model(path, Particulars)


def first_text() -> str:
    """A file to begin with: every key, with nothing filled in."""
    return (files("sovproxy.papers") / "texts" / "particulars.yaml").read_text("utf-8")
