"""Files that unpack to far more than they look are refused before they fill the memory."""

import gzip
import zipfile

import openpyxl
import pytest

from triage.batch import score_file
from triage.data import load_tickets, read_table
from triage.data.bounds import MAX_CELLS, check_workbook
from triage.schema import DataError

ROW = b'<row><c t="inlineStr"><is><t>' + b"a" * 1000 + b"</t></is></c></row>"


def bomb(path, megabytes):
    """Write a workbook whose only sheet unpacks to so many megabytes."""
    openpyxl.Workbook().save(path.with_name("base.xlsx"))
    with (
        zipfile.ZipFile(path.with_name("base.xlsx")) as base,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in base.infolist():
            if "sheet1" not in member.filename:
                archive.writestr(member.filename, base.read(member))
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(b"<worksheet><sheetData>")
            for _ in range(megabytes):
                sheet.write(ROW * 1000)
            sheet.write(b"</sheetData></worksheet>")
    return path


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods", "a.xlsb"])
def test_a_small_workbook_that_would_fill_the_memory_is_refused(tmp_path, name):
    path = bomb(tmp_path / name, 300)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match="that unpack to 3.*It was not read") as caught:
        load_tickets(path)
    assert caught.value.code == "file_bomb"


def test_a_workbook_larger_than_any_sheet_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("triage.data.bounds.MAX_WORKBOOK_BYTES", 10_000_000)
    with pytest.raises(DataError, match="unpacks to .* bytes, .*save it as .csv") as caught:
        check_workbook(bomb(tmp_path / "a.xlsx", 20))
    assert caught.value.code == "file_too_large"


def test_a_far_cell_that_spans_a_huge_sheet_is_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = "投诉内容", "坏了"
    book.active["XFD1048576"] = "x"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="last cell makes it 17,179,869,184 cells") as caught:
        read_table(tmp_path / "a.xlsx")
    assert caught.value.code == "file_too_large"


def test_far_cells_that_are_only_coloured_do_no_harm(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = "投诉内容", "坏了"
    book.active["XFD1048576"].fill = openpyxl.styles.PatternFill("solid", fgColor="FFFF00")
    book.save(tmp_path / "a.xlsx")
    assert 16_384 * 1_048_576 > MAX_CELLS
    assert read_table(tmp_path / "a.xlsx")["投诉内容"].tolist() == ["坏了"]


def test_a_gzipped_bomb_is_refused_on_the_way(desk, tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wb") as packed:
        packed.write("投诉内容\n".encode())
        for _ in range(150):
            packed.write(b"a" * 999_999 + b"\n")
    for read in (
        lambda: load_tickets(tmp_path / "a.csv.gz"),
        lambda: score_file(desk, tmp_path / "a.csv.gz", tmp_path / "b.csv"),
    ):
        with pytest.raises(DataError, match="that unpack to 10.* or more") as caught:
            read()
        assert caught.value.code == "file_bomb"


def test_an_export_that_packs_well_is_read(tmp_path):
    line = "快递丢了，客服一直不理人，我要投诉到底。,热线,2026-03-02\n".encode()
    with gzip.open(tmp_path / "a.csv.gz", "wb") as packed:
        packed.write("投诉内容,渠道,受理时间\n".encode() + line * 20_000)
    assert len(read_table(tmp_path / "a.csv.gz")) == 20_000
