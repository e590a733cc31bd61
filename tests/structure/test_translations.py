"""Every text of code and templates has a Chinese translation, and only one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sdm.kernel import catalogue

ROOT = Path(__file__).resolve().parents[2]
TRANSLATIONS = ROOT / "sdm" / "translations"
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


def test_every_text_has_a_chinese_translation() -> None:
    missing = catalogue.untranslated(ROOT, "zh_CN")

    listed = "\n".join(f"{places[0]}: {text}" for text, places in missing.items())
    assert not missing, f"{len(missing)} texts without translation:\n{listed}"


def test_no_text_is_translated_in_two_ways() -> None:
    assert catalogue.conflicts(TRANSLATIONS, "zh_CN") == []


def test_translations_keep_the_placeholders_of_their_text() -> None:
    merged = catalogue.merge(TRANSLATIONS, "zh_CN")

    broken = [
        message.id
        for message in merged
        if isinstance(message.id, str)
        and set(PLACEHOLDER.findall(message.id)) != set(PLACEHOLDER.findall(message.string))
    ]

    assert broken == []


def test_a_text_without_translation_is_found(tmp_path: Path) -> None:
    for package in catalogue.PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "sdm" / "one.py").write_text('label = _l("A text nobody translated")\n', encoding="utf-8")
    page = tmp_path / "sdm" / "templates" / "one.html"
    page.parent.mkdir()
    page.write_text('{{ _("Another on a page") }}', encoding="utf-8")

    found = catalogue.untranslated(tmp_path, "zh_CN")

    assert set(found) == {"A text nobody translated", "Another on a page"}


def test_two_parts_that_disagree_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "zh_CN" / "parts"
    folder.mkdir(parents=True)
    for name, word in (("one", "销售"), ("two", "营销")):
        (folder / f"{name}.po").write_text(f'msgid ""\nmsgstr ""\n\nmsgid "Sales"\nmsgstr "{word}"\n', encoding="utf-8")

    assert catalogue.conflicts(tmp_path, "zh_CN") == ["Sales: 销售 / 营销 (two.po)"]


@pytest.mark.parametrize("code", ["zh_CN"])
def test_the_compiled_catalogue_is_merged_from_its_parts(code: str, tmp_path: Path) -> None:
    folder = tmp_path / code / "parts"
    folder.mkdir(parents=True)
    (folder / "one.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "Save"\nmsgstr "保存"\n', encoding="utf-8")

    written = catalogue.compile_stale(tmp_path)

    assert [path.name for path in written] == ["sdm.mo"]
    assert catalogue.compile_stale(tmp_path) == []
