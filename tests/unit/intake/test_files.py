"""Files are read as people see them, and hostile ones are refused with a reason."""

from __future__ import annotations

import gzip
import io
import time
import zipfile
from datetime import date

import pytest
from openpyxl import Workbook

from sdm.intake import files, workbooks
from sdm.intake.workbooks import HostileFile


def book(*rows: tuple, title: str = "Sheet") -> bytes:
    work = Workbook()
    sheet = work.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    target = io.BytesIO()
    work.save(target)
    return target.getvalue()


def altered(data: bytes, name: str, change) -> bytes:
    """The workbook with one part changed or added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        found = False
        for part in old.infolist():
            content = old.read(part)
            if part.filename == name:
                content, found = change(content), True
            new.writestr(part.filename, content)
        if not found:
            new.writestr(name, change(b""))
    return target.getvalue()


def refused(data: bytes, name: str = "a.xlsx") -> str:
    with pytest.raises(HostileFile) as error:
        files.read(name, data)
    assert error.value.text != error.value.code, "every refusal has a sentence"
    return error.value.code


def test_a_workbook_gives_texts_as_a_person_reads_them() -> None:
    grid = files.read(
        "a.xlsx",
        book(("Code", "Day", "Qty"), ("007", date(2026, 11, 21), 14075.0), (None, None, None), ("x", None, 0.1)),
    )
    assert grid.header == ("Code", "Day", "Qty")
    assert grid.rows == ((2, ("007", "2026-11-21", "14075")), (4, ("x", "", "0.1")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_each_encoding_and_delimiter(encoding: str, delimiter: str) -> None:
    text = delimiter.join(["名称", "数量"]) + "\r\n" + delimiter.join(["冰箱", "３"]) + "\r\n"
    grid = files.read("a.csv", text.encode(encoding))
    assert grid.header == ("名称", "数量")
    assert grid.rows == ((2, ("冰箱", "３")),)


def test_gzipped_csv_is_read() -> None:
    assert files.read("a.csv.gz", gzip.compress(b"a,b\n1,2\n")).rows == ((2, ("1", "2")),)


def test_a_gzip_bomb_is_refused() -> None:
    assert refused(gzip.compress(b"0" * (workbooks.UNPACKED_MAX + 2)), "a.csv.gz") == "file.unpacked"


def test_formulas_are_refused_with_their_cells() -> None:
    with pytest.raises(HostileFile) as error:
        files.read("a.xlsx", book(("a", "b"), (1, "=A2*2")))
    assert error.value.code == "file.formula"
    assert "B2" in error.value.text


@pytest.mark.parametrize("declaration", [
    b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>',
])  # fmt: skip
def test_entities_are_refused(declaration: bytes) -> None:
    data = altered(book(("a",), ("1",)), "xl/workbook.xml", lambda content: declaration + content)
    assert refused(data) == "file.entity"


def test_entities_hidden_in_utf_16_are_refused() -> None:
    data = altered(book(("a",), ("1",)), "xl/workbook.xml", lambda _: "<!DOCTYPE x>".encode("utf-16"))
    assert refused(data) == "file.entity"


def test_a_zip_bomb_is_refused_before_it_is_read() -> None:
    bomb = altered(book(("a",), ("1",)), "xl/media/bomb.xml", lambda _: b" " * (150 * 1024 * 1024))
    started = time.process_time()
    assert refused(bomb) == "file.ratio"
    assert time.process_time() - started < 5


def test_too_many_parts_are_refused() -> None:
    target = io.BytesIO(book(("a",), ("1",)))
    with zipfile.ZipFile(target, "a") as archive:
        for number in range(workbooks.ENTRIES_MAX):
            archive.writestr(f"xl/media/{number}.txt", "x")
    assert refused(target.getvalue()) == "file.entries"


def test_a_cell_at_the_end_of_the_sheet_is_refused() -> None:
    work = Workbook()
    work.active["A1"] = "a"
    work.active["A1048576"] = "b"
    target = io.BytesIO()
    work.save(target)
    assert refused(target.getvalue()) == "file.rows"


@pytest.mark.parametrize("name", ["xl/vbaProject.bin", "xl/externalLinks/externalLink1.xml"])
def test_macros_and_links_to_other_files_are_refused(name: str) -> None:
    assert refused(altered(book(("a",), ("1",)), name, lambda _: b"x")) in {"file.macro", "file.external"}


@pytest.mark.parametrize(("data", "name", "code"), [
    (b"", "a.csv", "file.empty"),
    (b"\n\n", "a.csv", "file.empty"),
    (b"PK\x03\x04 broken", "a.xlsx", "file.broken"),
    (b"\xd0\xcf\x11\xe0 old", "a.xls", "file.kind"),
    (b"a,b\n\xff\xff\xff\x00", "a.csv", "file.encoding"),
    (b'a,b\n"1,2\n', "a.csv", "file.broken"),
    (b"a,A\n1,2\n", "a.csv", "file.heading_twice"),
    (b"a,b\n" + b"x" * 2001 + b",1\n", "a.csv", "file.cell_length"),
    (b"%PDF-1.4\x01 nothing", "a.pdf", "file.kind"),
    (b"\x1f\x8b broken", "a.gz", "file.broken"),
])  # fmt: skip
def test_what_is_no_table_is_refused(data: bytes, name: str, code: str) -> None:
    assert refused(data, name) == code


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_MAX", 3)
    assert refused(b"a\n1\n2\n3\n4\n", "a.csv") == "file.rows"
