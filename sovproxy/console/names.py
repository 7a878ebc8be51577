"""Names for the ids that events hold, from the catalogue of today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.prompt.shown import printable

if TYPE_CHECKING:
    from sovproxy.atlas.load import Atlas
    from sovproxy.prompt.languages import Language


@dataclass(frozen=True, slots=True)
class Names:
    """Looks names up. An id that the catalogue does not have (any more) is shown as it is."""

    atlas: Atlas
    language: Language

    def of(self, field: str, value: object) -> str:
        """The name of a value of a field of an event."""
        text = str(value)
        if text == "" or (field == "asn" and text == "0"):
            return self._nothing(field)
        if field == "service" and (service := self.atlas.services.get(text)):
            return service.name
        if field == "operator" and (operator := self.atlas.operators.get(text)):
            return operator.name
        if field in {"control", "location"}:
            return self.language.country(text)
        return f"AS{text}" if field == "asn" else printable(text)

    def service(self, value: str) -> str:
        """The name of a service."""
        return self.of("service", value)

    def _nothing(self, field: str) -> str:
        say = self.language.say
        texts = {
            "service": say("No service of the catalogue"),
            "group": say("No group"),
            "control": say("Unknown control"),
        }
        return texts.get(field, say("Unknown"))
