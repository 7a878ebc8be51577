"""Countries as they read after "the law of": the only grammatical form that sentences need.

The English forms stand here; each translation file gives its own ("droit des États-Unis", "Recht
der Vereinigten Staaten", "lovgivningen i USA"). A country that is not in the list is named in
brackets, which is correct in every language.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.prompt.languages import mark

if TYPE_CHECKING:
    from sovproxy.prompt.languages import Language

LAWS = MappingProxyType(
    {
        # NOTE: always follows a verb: "answers to …". Give the form with its article or case.
        "AE": mark("the law of the United Arab Emirates"),
        "AT": mark("the law of Austria"),
        "AU": mark("the law of Australia"),
        "BE": mark("the law of Belgium"),
        "BG": mark("the law of Bulgaria"),
        "BR": mark("the law of Brazil"),
        "BY": mark("the law of Belarus"),
        "CA": mark("the law of Canada"),
        "CH": mark("the law of Switzerland"),
        "CN": mark("the law of China"),
        "CY": mark("the law of Cyprus"),
        "CZ": mark("the law of the Czech Republic"),
        "DE": mark("the law of Germany"),
        "DK": mark("the law of Denmark"),
        "EE": mark("the law of Estonia"),
        "EG": mark("the law of Egypt"),
        "ES": mark("the law of Spain"),
        "FI": mark("the law of Finland"),
        "FR": mark("the law of France"),
        "GB": mark("the law of the United Kingdom"),
        "GR": mark("the law of Greece"),
        "HK": mark("the law of Hong Kong"),
        "HR": mark("the law of Croatia"),
        "HU": mark("the law of Hungary"),
        "IE": mark("the law of Ireland"),
        "IL": mark("the law of Israel"),
        "IN": mark("the law of India"),
        "IR": mark("the law of Iran"),
        "IS": mark("the law of Iceland"),
        "IT": mark("the law of Italy"),
        "JP": mark("the law of Japan"),
        "KR": mark("the law of South Korea"),
        "KZ": mark("the law of Kazakhstan"),
        "LI": mark("the law of Liechtenstein"),
        "LT": mark("the law of Lithuania"),
        "LU": mark("the law of Luxembourg"),
        "LV": mark("the law of Latvia"),
        "MA": mark("the law of Morocco"),
        "MT": mark("the law of Malta"),
        "MX": mark("the law of Mexico"),
        "NL": mark("the law of the Netherlands"),
        "NO": mark("the law of Norway"),
        "NZ": mark("the law of New Zealand"),
        "PL": mark("the law of Poland"),
        "PT": mark("the law of Portugal"),
        "RO": mark("the law of Romania"),
        "RS": mark("the law of Serbia"),
        "RU": mark("the law of Russia"),
        "SA": mark("the law of Saudi Arabia"),
        "SE": mark("the law of Sweden"),
        "SG": mark("the law of Singapore"),
        "SI": mark("the law of Slovenia"),
        "SK": mark("the law of Slovakia"),
        "TR": mark("the law of Turkey"),
        "TW": mark("the law of Taiwan"),
        "UA": mark("the law of Ukraine"),
        "US": mark("the law of the United States"),
        "VG": mark("the law of the British Virgin Islands"),
        "VN": mark("the law of Vietnam"),
        "ZA": mark("the law of South Africa"),
    }
)
"""English, by ISO 3166-1 alpha-2 code: the seats of operators and parents that the atlas meets."""


def law_of(code: str, language: Language) -> str:
    """The law of a country, in the form that follows "falls under" or "answers to"."""
    if known := LAWS.get(code):
        return language.say(known)
    return language.say("the law of another country (%(country)s)", country=language.country(code))
