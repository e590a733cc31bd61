"""Files of a take-on as streams of UTF-8 CSV, whatever they are: plain or gzipped CSV, UTF-8 or GB18030, Excel."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import BinaryIO

from sdm.intake import files
from sdm.intake.workbooks import HostileFile

CHUNK = 1 << 20
UNPACKED_MAX = 8 << 30
PROBE = 4 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be opened again and again."""

    name: str
    open: Callable[[], BinaryIO]


def from_path(path: Path) -> Source:
    """A file of the disk."""
    return Source(path.name, lambda: path.open("rb"))


def from_bytes(name: str, data: bytes) -> Source:
    """A file in memory."""
    return Source(name, lambda: BytesIO(data))


def digest_of(sources: list[Source], mapping_body: str) -> str:
    """sha256 over the files, in whatever order they are given, and the mapping."""
    found = []
    for source in sources:
        with source.open() as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
            found.append(digest.hexdigest())
    whole = "\n".join([*sorted(found), mapping_body])
    return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Table:
    """A source understood: heading, delimiter, and its content as chunks of UTF-8 CSV, heading first."""

    name: str
    header: tuple[str, ...]
    delimiter: str
    chunks: Callable[[], Iterator[bytes]]


def table_of(source: Source) -> Table:
    """Look at a file. Raises HostileFile when it is no table."""
    with source.open() as stream:
        start = stream.read(4)
    if start.startswith(files.ZIP_MAGIC):
        return _workbook(source)
    if start.startswith(files.OLD_EXCEL_MAGIC):
        raise HostileFile("file.kind", name=source.name)
    head = next(_unpacked(source), b"")
    encoding = _encoding(source)
    lines = head.decode(encoding, "ignore").lstrip("\ufeff").splitlines()
    if not lines:
        raise HostileFile("file.empty")
    delimiter = files.delimiter_of(lines[0])
    header = next(csv.reader([lines[0]], delimiter=delimiter))
    return Table(
        source.name, tuple(" ".join(cell.split()) for cell in header), delimiter, lambda: _recoded(source, encoding)
    )


def _workbook(source: Source) -> Table:
    with source.open() as stream:
        grid = files.read(source.name, stream.read())
    width = len(grid.header)

    def chunks() -> Iterator[bytes]:
        buffer = StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(grid.header)
        for _number, cells in grid.rows:
            writer.writerow((list(cells) + [""] * width)[:width])
        yield buffer.getvalue().encode()

    return Table(source.name, grid.header, ",", chunks)


def _unpacked(source: Source) -> Iterator[bytes]:
    """Chunks of the content, unpacked where it is gzip."""
    total = 0
    try:
        with source.open() as raw:
            packed = raw.read(2) == files.GZIP_MAGIC
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            while chunk := stream.read(CHUNK):
                total += len(chunk)
                if total > UNPACKED_MAX:
                    raise HostileFile("file.unpacked", max=UNPACKED_MAX >> 20)
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise HostileFile("file.broken", kind="gzip") from error


def _encoding(source: Source) -> str:
    """utf-8 or gb18030, by trying the whole file; raises HostileFile for neither."""
    for encoding in ("utf-8", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for chunk in _unpacked(source):
                if b"\x00" in chunk:
                    raise HostileFile("file.encoding")
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise HostileFile("file.encoding")


def _recoded(source: Source, encoding: str) -> Iterator[bytes]:
    """The content as UTF-8 without a byte order mark."""
    chunks = _unpacked(source)
    if encoding != "utf-8":
        chunks = _to_utf8(chunks, encoding)
    first = next(chunks, b"")
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _to_utf8(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()
