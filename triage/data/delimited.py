"""Read a CSV of any size as it comes: any common encoding and delimiter, titles above the heading.

The file is gone over twice, so that its rows need not fit into memory: once for how it is laid out,
once for its rows.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from triage.data.bounds import check_unpacked
from triage.data.encoding import tell_encoding
from triage.data.heading import SEARCHED, find_heading, known_headings
from triage.data.workbook import name_columns
from triage.schema import DataError

FAULT = "__fault__"
"""Column that carries the fault of a row that the reader could not take apart."""

SINGLE = "\x1f"
"""Delimiter of a file with a single column: one that does not occur."""

_BLOCK = 1 << 20
_SAMPLE = 100_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How a CSV is laid out.

    Attributes
    ----------
    path : Path
    encoding : str
        `utf-8-sig`, `gb18030` or `utf-16`.
    delimiter : str
    strict : bool
        Whether quotes are in order; else a row ends where its line ends.
    header : list of str
        Names of the columns, blank ones as well.
    names : dict
        Place of a column → its heading; a column without name and content has none.
    body : int
        Records above the first row.
    rows : int
        Rows that hold anything.
    """

    path: Path
    encoding: str
    delimiter: str
    strict: bool
    header: list[str]
    names: dict[int, str]
    body: int
    rows: int

    def tables(
        self, size: int | None = None, skip: Container[int] = ()
    ) -> Iterator[tuple[int, pd.DataFrame]]:
        """Yield the rows as tables of `size` rows with their numbers from 0, but those to skip.

        All in one where `size` is None. Index and columns are those of `read_table`.
        """
        with _opened(self.path, self.encoding) as lines:
            records = _records(lines, self.delimiter, self.strict)
            filled = _filled(islice(enumerate(records, start=1), self.body, None))
            for number in range(-(-self.rows // size) if size else 1):
                rows = list(islice(filled, size))
                if number not in skip:
                    yield number, self._table(rows)

    def _table(self, rows: Sequence[tuple[int, list[str]]]) -> pd.DataFrame:
        """Build a table of records, marking those of another width than the heading's."""
        width = len(self.header)
        frame = pd.DataFrame(
            [(cells + [""] * width)[:width] for _, cells in rows],
            index=pd.Index([number for number, _ in rows], name="row"),
            columns=range(width), dtype=object,
        )[list(self.names)]  # fmt: skip
        frame.columns = pd.Index(list(self.names.values()))
        faults = [_fault(cells, self.header) for _, cells in rows]
        if any(faults):
            frame[FAULT] = pd.Series(faults, index=frame.index, dtype=object)
        return frame


def lay_out(path: Path, asked: Collection[str]) -> Layout:
    """Find how a CSV is laid out.

    Parameters
    ----------
    path : Path
        May be gzipped.
    asked : collection of str
        Headings that the user names.

    Raises
    ------
    DataError
        If nothing stands in it, or it is no intact gzip file, or unpacks to far more than it is.
    """
    try:
        encoding, size = tell_encoding(_blocks(path))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no intact gzip file ({error}): export it again.") from error
    csv.field_size_limit(max(size, 131_072))
    with _opened(path, encoding) as lines:
        delimiter = _delimiter(lines.read(_SAMPLE), asked)
    try:
        return _lay_out(path, encoding, delimiter, asked, strict=True)
    except csv.Error:
        return _lay_out(path, encoding, delimiter, asked, strict=False)


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's content, refusing a gzip bomb on the way."""
    packed, unpacked = path.stat().st_size, 0
    with _opener(path)(path, "rb") as raw:
        while block := raw.read(_BLOCK):
            unpacked += len(block)
            check_unpacked(path, unpacked, packed)
            yield block


def _opener(path: Path) -> Callable[..., Any]:
    return gzip.open if path.suffix == ".gz" else open


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    with _opener(path)(path, "rt", encoding=encoding, errors="replace", newline="") as lines:
        yield lines


def _records(lines: Iterable[str], delimiter: str, strict: bool) -> Iterator[list[str]]:
    if strict:
        yield from csv.reader(lines, delimiter=delimiter, strict=True)
    else:  # a stray quote: a row then ends where its line ends
        for line in lines:
            yield next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def _filled(records: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    return (record for record in records if any(cell.strip() for cell in record[1]))


def _lay_out(
    path: Path, encoding: str, delimiter: str, asked: Collection[str], strict: bool
) -> Layout:
    with _opened(path, encoding) as lines:
        records = enumerate(_records(lines, delimiter, strict), start=1)
        title = next(_filled(records), None)
        if title is None:
            raise DataError(f"{path} is empty: export it again.", code="file_empty")
        first = [title, *islice(records, SEARCHED - 1)]
        header, below = _heading([cells for _, cells in first], asked)
        blank = {at for at, name in enumerate(header) if not name}
        rows = 0
        for _, cells in _filled(chain(first[below:], records)):
            rows += 1
            if blank:
                blank -= {at for at in blank if cells[at : at + 1] not in ([], [""])}
    names = name_columns(header, blank)
    body = title[0] - 1 + below
    return Layout(path, encoding, delimiter, strict, header, names, body, rows)


def _heading(first: list[list[str]], asked: Collection[str]) -> tuple[list[str], int]:
    """Return the names of the columns, and how many of the first records stand above the rows."""
    first = [[cell.strip() for cell in cells] for cells in first]
    wide = max(map(len, first))
    padded = [cells + [""] * (wide - len(cells)) for cells in first]
    heading = find_heading(padded, [_spread(cells) for cells in padded], asked)
    filled = [at for at, name in enumerate(heading.names, start=1) if name]
    return heading.names[: max(len(first[heading.body - 1]), *filled[-1:])], heading.body


def _spread(cells: Sequence[str]) -> list[str]:
    """Fill blanks from the left, as a merged group heading stands in a CSV."""
    filled: list[str] = []
    for cell in cells:
        filled.append(cell or (filled[-1] if filled else ""))
    return filled


def _fault(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """Say what is wrong with the number of cells of a row."""
    if any(cell.strip() for cell in cells[len(header) :]):
        return f"有 {len(cells)} 列，表头只有 {len(header)} 列"
    if len(cells) < len(header) - 1:
        return f"只有 {len(cells)} 列，表头有 {len(header)} 列"
    return None


def _delimiter(sample: str, asked: Collection[str]) -> str:
    """Return the delimiter that shows most headings, else that the first line shows most of.

    Neither: a single column.
    """
    lines = sample.split("\n", SEARCHED)[:SEARCHED]
    delimiters = ",\t;|"
    scored: list[tuple[tuple[bool, int], str]] = [
              (known_headings([cell.strip(' "\r') for cell in line.split(mark)], asked), mark)
              for line in lines for mark in (SINGLE, *delimiters)]  # fmt: skip
    known, mark = max(scored, key=lambda one: one[0])
    if known > (False, 0):
        return mark
    delimiter = max(delimiters, key=lines[0].count)
    return delimiter if delimiter in lines[0] else SINGLE
