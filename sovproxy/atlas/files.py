"""Read the folders of the catalogue: every file parsed and checked for itself.

What several files say together is checked by `sovproxy.atlas.link`. Problems are collected, so
that one run shows them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sovproxy import yamlfile
from sovproxy.atlas.schema import (
    OperatorEntry,
    OperatorFile,
    PowerEntry,
    PowerFile,
    ServiceFile,
    SharedFile,
    SharedGroup,
    UndecryptedCategory,
    UndecryptedFile,
    UnusedFile,
    UnusedPrefix,
)
from sovproxy.errors import InvalidFile, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pydantic import BaseModel

SHARED = "shared_hosts.yaml"
UNDECRYPTED = "undecrypted.yaml"
UNUSED = "unused_prefixes.yaml"
FOLDERS = ("services", "operators", "powers")


@dataclass(frozen=True, slots=True)
class Item[M: BaseModel]:
    """A part of a file with the place where it stands. `layer` counts the folders from 0."""

    value: M
    document: yamlfile.Document
    loc: yamlfile.Loc
    layer: int

    def problem(self, message: str, *where: str | int) -> Problem:
        """Make a problem at a path below this part."""
        return self.document.problem((*self.loc, *where), message)

    def place(self, *where: str | int) -> str:
        """Name the place of a path below this part: `file:line`."""
        found = self.problem("", *where)
        return f"{found.file}:{found.line}"


@dataclass(slots=True)
class Collection:
    """All parts by id. `broken` has files that could not be read, such as `services/zoom`."""

    services: dict[str, Item[ServiceFile]] = field(default_factory=dict)
    operators: dict[str, Item[OperatorEntry]] = field(default_factory=dict)
    powers: dict[str, tuple[str, Item[PowerEntry]]] = field(default_factory=dict)
    shared: list[Item[SharedGroup]] = field(default_factory=list)
    undecrypted: list[Item[UndecryptedCategory]] = field(default_factory=list)
    unused: list[Item[UnusedPrefix]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def may_have_operator(self, key: str) -> bool:
        """Whether an operator exists, or could stand in a file that cannot be read."""
        return key in self.operators or any(name.startswith("operators/") for name in self.broken)


def read_folders(folders: Iterable[Path]) -> Collection:
    """Read all folders in order; what a later one says of an id replaces what stood before."""
    collection = Collection()
    for layer, folder in enumerate(folders):
        _FolderReader(folder, layer, collection).read()
    return collection


@dataclass(slots=True)
class _FolderReader:
    folder: Path
    layer: int
    collection: Collection

    def read(self) -> None:
        if not self.folder.is_dir():
            self._refuse(self.folder, "is not a folder of a catalogue")
            return
        self._report_strangers(self.folder, (*FOLDERS, SHARED, UNDECRYPTED, UNUSED))
        self._each("services", ServiceFile, self._add_service)
        self._each("operators", OperatorFile, self._add_operators)
        self._each("powers", PowerFile, self._add_powers)
        self._one(self.folder / SHARED, SharedFile, self._add_shared)
        self._one(self.folder / UNDECRYPTED, UndecryptedFile, self._add_undecrypted)
        self._one(self.folder / UNUSED, UnusedFile, self._add_unused)

    def _refuse(self, path: Path, message: str) -> None:
        self.collection.problems.append(Problem(str(path), 0, 0, "", message))

    def _report_strangers(self, folder: Path, known: tuple[str, ...]) -> None:
        for path in sorted(folder.iterdir()):
            if path.name not in known and not path.name.startswith((".", "README")):
                wanted = ", ".join(known)
                self._refuse(path, f"is not part of a catalogue; here belong: {wanted}")

    def _each[M: BaseModel](
        self, name: str, model: type[M], add: Callable[[Path, Item[M]], None]
    ) -> None:
        folder = self.folder / name
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith((".", "README")):
                continue
            if path.suffix != ".yaml" or not path.is_file():
                self._refuse(path, "is not read; files here are named `<id>.yaml`")
                continue
            self._one(path, model, add)

    def _one[M: BaseModel](
        self, path: Path, model: type[M], add: Callable[[Path, Item[M]], None]
    ) -> None:
        if not path.exists():
            return
        try:
            document = yamlfile.read(path)
            value = yamlfile.validate(document, model)
        except InvalidFile as error:
            self.collection.problems.extend(error.problems)
            self.collection.broken.add(f"{path.parent.name}/{path.stem}")
            return
        add(path, Item(value, document, (), self.layer))

    def _check_stem(self, path: Path, item: Item[BaseModel], key: str, value: str) -> None:
        if value != path.stem:
            message = f"is `{value}`, but the file is named `{path.name}`; make them the same"
            self.collection.problems.append(item.problem(message, key))

    def _add_service(self, path: Path, item: Item[ServiceFile]) -> None:
        self._check_stem(path, item, "id", item.value.id)
        self._add("service", self.collection.services, item.value.id, item)

    def _add_operators(self, path: Path, item: Item[OperatorFile]) -> None:
        self._check_stem(path, item, "group", item.value.group)
        for index, value in enumerate(item.value.operators):
            part = Item(value, item.document, ("operators", index), self.layer)
            self._add("operator", self.collection.operators, value.id, part)

    def _add[M: BaseModel](
        self, what: str, known: dict[str, Item[M]], key: str, item: Item[M]
    ) -> None:
        old = known.get(key)
        if old and old.layer == item.layer:
            message = f"the {what} `{key}` stands here twice; the other is {old.place('id')}"
            self.collection.problems.append(item.problem(message, "id"))
            return
        known[key] = item

    def _add_powers(self, path: Path, item: Item[PowerFile]) -> None:
        country = item.value.country
        self._check_stem(path, item, "country", country.lower())
        for index, value in enumerate(item.value.powers):
            part = Item(value, item.document, ("powers", index), self.layer)
            old = self.collection.powers.get(value.id)
            if old and old[1].layer == self.layer:
                message = f"the law `{value.id}` stands here twice; the other is {old[1].place()}"
                self.collection.problems.append(part.problem(message, "id"))
                continue
            self.collection.powers[value.id] = (country, part)

    def _add_shared(self, path: Path, item: Item[SharedFile]) -> None:
        del path
        for index, group in enumerate(item.value.hosts):
            self.collection.shared.append(Item(group, item.document, ("hosts", index), self.layer))

    def _add_undecrypted(self, path: Path, item: Item[UndecryptedFile]) -> None:
        del path
        for index, value in enumerate(item.value.categories):
            part = Item(value, item.document, ("categories", index), self.layer)
            self.collection.undecrypted.append(part)

    def _add_unused(self, path: Path, item: Item[UnusedFile]) -> None:
        del path
        for index, value in enumerate(item.value.prefixes):
            part = Item(value, item.document, ("prefixes", index), self.layer)
            self.collection.unused.append(part)
