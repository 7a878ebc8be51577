"""Builds the companion extension: one source, a folder and a package for Chromium and for Firefox.

`python tools/build_extension.py [FOLDER]` writes `chromium/`, `firefox/` and a zip of each below
FOLDER (default `dist/`). Equal sources make equal packages, byte for byte.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from babel.messages.pofile import read_po

from sovproxy.prompt.export import texts_of
from sovproxy.prompt.languages import languages

if TYPE_CHECKING:
    from sovproxy.prompt.languages import Language

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "extension"
CODE: Final = ("core", "shell", "pages", "content", "_locales", "icons")
FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a package: a zip can hold none earlier, and builds must be equal."""

BACKGROUND: Final[dict[str, dict[str, Any]]] = {
    "chromium": {"background": {"service_worker": "shell/background.js", "type": "module"}},
    "firefox": {"background": {"scripts": ["shell/background.js"], "type": "module"}},
}


def build(target: Path) -> list[Path]:
    """Build both packages below `target`, and give the paths of the zips."""
    return [_build_one(target, browser) for browser in BACKGROUND]


def _build_one(target: Path, browser: str) -> Path:
    folder = target / browser
    shutil.rmtree(folder, ignore_errors=True)
    for name in CODE:
        if (SOURCE / name).is_dir():
            shutil.copytree(SOURCE / name, folder / name)
    shutil.copy(SOURCE / "managed_schema.json", folder)
    shutil.copy(ROOT / "sovproxy" / "prompt" / "static" / "prompt.css", folder / "pages")
    _name_modules(folder / "pages" / "prompt.html")
    _write_json(folder / "manifest.json", _manifest(browser))
    for language in languages():
        _write_json(folder / "texts" / f"{language.code}.json", _texts(language))
    return _pack(folder, target / f"sovproxy-{browser}.zip")


def _name_modules(page: Path) -> None:
    """Name every module that a page's script needs, so that none waits for another to be read."""
    text = page.read_text("utf-8")
    [script] = re.findall(r'<script type="module" src="([^"]+)">', text)
    first = page.parent / script
    others = sorted(_modules_of(first) - {first})
    places = [path.relative_to(page.parent, walk_up=True).as_posix() for path in others]
    links = "".join(f'<link rel="modulepreload" href="{place}">\n' for place in places)
    page.write_text(text.replace("<script ", f"{links}<script ", 1), "utf-8")


def _modules_of(script: Path) -> set[Path]:
    """A module and all that it imports, directly or not."""
    found, waiting = set[Path](), [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            names = re.findall(
                r'^(?:import|export) .*?"(\.[^"]+)";', path.read_text("utf-8"), re.MULTILINE
            )
            waiting += [(path.parent / name).resolve() for name in names]
    return found


def _texts(language: Language) -> dict[str, Any]:
    """The prompt's texts, and the extension's own; English ones stand in the code."""
    texts, own = texts_of(language), SOURCE / "translations" / f"{language.code}.po"
    if own.exists():
        catalog = read_po(own.open("rb"), locale=language.code, abort_invalid=True)
        texts["messages"] |= {str(entry.id): str(entry.string) for entry in catalog if entry.id}
    return texts


def _manifest(browser: str) -> dict[str, Any]:
    shared: dict[str, Any] = json.loads((SOURCE / "manifest.json").read_text("utf-8"))
    overlay = SOURCE / f"manifest.{browser}.json"
    own = json.loads(overlay.read_text("utf-8")) if overlay.exists() else {}
    return shared | BACKGROUND[browser] | own


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _pack(folder: Path, package: Path) -> Path:
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), FIRST_DAY)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return package


if __name__ == "__main__":
    for made in build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"):
        print(made)
