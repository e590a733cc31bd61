"""Message catalogues: one part per package, merged and compiled into one `sdm.mo` per language.

Pure: needs Babel and the standard library only, because the build hook loads this file by its path.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import normalize, read_po

DOMAIN = "sdm"
PACKAGES = ("sdm", "branches", "inventory", "finance", "alerts")
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "_l": None,
    "_n": (1, 2),
    "N_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
}
METHODS = [("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2"), ("**.py", "python")]
JINJA_OPTIONS = {"trimmed": "true", "silent": "false", "extensions": "jinja2.ext.do"}


def languages(translations: Path) -> list[str]:
    """Language codes that have a folder of parts, sorted."""
    return sorted(path.parent.name for path in translations.glob("*/parts") if path.is_dir())


def parts(translations: Path, language: str) -> list[Path]:
    """The part files of one language, in the order of their names."""
    return sorted((translations / language / "parts").glob("*.po"))


def merge(translations: Path, language: str) -> Catalog:
    """One catalogue of all parts; the first part that translates a text wins."""
    merged = Catalog(locale=language, domain=DOMAIN, charset="utf-8")
    for path in parts(translations, language):
        with path.open("rb") as stream:
            part = read_po(stream, locale=language)
        for message in part:
            if message.id and message.string and message.id not in merged:
                merged.add(message.id, message.string, flags=message.flags, context=message.context)
    return merged


def conflicts(translations: Path, language: str) -> list[str]:
    """Texts which two parts translate differently, as 'text: first / second (part)'."""
    seen: dict[object, object] = {}
    found: list[str] = []
    for path in parts(translations, language):
        with path.open("rb") as stream:
            for message in read_po(stream, locale=language):
                if not message.id or not message.string:
                    continue
                first = seen.setdefault(message.id, message.string)
                if first != message.string:
                    found.append(f"{message.id}: {first} / {message.string} ({path.name})")
    return found


def compiled_path(translations: Path, language: str) -> Path:
    """Where the compiled catalogue of a language lies: below the full name that Babel gives it (zh_CN → zh_Hans_CN)."""
    return translations / str(Locale.parse(language)) / "LC_MESSAGES" / f"{DOMAIN}.mo"


def is_stale(translations: Path, language: str) -> bool:
    """True when a part, or the folder of parts, is newer than the compiled catalogue, or there is none."""
    target = compiled_path(translations, language)
    if not target.exists():
        return True
    sources = [*parts(translations, language), translations / language / "parts"]
    return any(path.stat().st_mtime_ns > target.stat().st_mtime_ns for path in sources)


def compile_language(translations: Path, language: str) -> Path:
    """Merge and write one language; readers never see half a file."""
    target = compiled_path(translations, language)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    with partial.open("wb") as stream:
        write_mo(stream, merge(translations, language))
    partial.replace(target)
    return target


def compile_stale(translations: Path) -> list[Path]:
    """Compile every language whose parts changed; returns the files written."""
    return [compile_language(translations, code) for code in languages(translations) if is_stale(translations, code)]


def extract(root: Path) -> dict[str, list[str]]:
    """Every translatable text of the source tree: text → places as 'file:line'."""
    found: dict[str, list[str]] = {}
    options = {pattern: dict(JINJA_OPTIONS) for pattern, method in METHODS if method == "jinja2"}
    for package in PACKAGES:
        entries = extract_from_dir(str(root / package), METHODS, options, keywords=KEYWORDS)
        for name, line, message, *_rest in entries:
            text = message[0] if isinstance(message, tuple) else message
            found.setdefault(str(text), []).append(f"{package}/{name}:{line}")
    return found


def untranslated(root: Path, language: str) -> dict[str, list[str]]:
    """Texts of the source tree that the language's parts do not translate, with their places."""
    catalogue = merge(root / "sdm" / "translations", language)
    return {text: places for text, places in extract(root).items() if text and text not in catalogue}


def main(arguments: list[str]) -> int:
    """`missing LANGUAGE [PREFIX]` prints untranslated texts as entries of a part; `compile` compiles all languages."""
    root = Path(__file__).resolve().parents[2]
    if arguments[:1] == ["compile"]:
        for code in languages(root / "sdm" / "translations"):
            print(compile_language(root / "sdm" / "translations", code))
        return 0
    if arguments[:1] != ["missing"] or len(arguments) < 2:
        print(main.__doc__)
        return 2
    prefix = arguments[2] if len(arguments) > 2 else ""
    for text, places in untranslated(root, arguments[1]).items():
        if any(place.startswith(prefix) for place in places):
            print(f'#: {places[0]}\nmsgid {normalize(text)}\nmsgstr ""\n')
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
