"""Exports as they come: workbooks, footers, taxonomies on several levels."""

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.data import (
    Tickets,
    load_tickets,
    look_at,
    read_table,
    set_aside_small_classes,
)
from triage.data.footers import footer_reason
from triage.data.heading import find_heading
from triage.data.taxonomy import REST, find_levels, join_levels, roll_up


def workbook(path, sheets, merged=(), hidden=()):
    """Write sheets of rows; `merged` areas hold for each of them."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for area in merged:
            sheet.merge_cells(area)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.save(path)
    return path


HEADING = ["编号", "投诉内容", "投诉类型"]
JANUARY = [["一月投诉汇总表", None, None], HEADING, [1, "快递丢了", "物流"], [2, "太贵了", "价格"]]
FEBRUARY = [["二月投诉汇总表", None, None], HEADING, [3, "态度差", "服务"]]


def test_a_merged_title_is_passed_over(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"一月": JANUARY}, merged=["A1:C1"])
    frame = load_tickets(path).frame
    assert frame[["row", "text", "nature"]].values.tolist() == [
        [3, "快递丢了", "物流"], [4, "太贵了", "价格"]
    ]  # fmt: skip
    assert "sheet" not in frame


def test_a_heading_merged_over_two_rows_is_joined(tmp_path):
    rows = [
        ["2025年投诉明细", None, None, None, None, None],
        ["编号", "投诉内容", "投诉分类", None, "受理", None],
        [None, None, "一级", "二级", "时间", "渠道"],
        [1, "快递丢了", "物流", "丢件", "2025-01-02", "热线"],
    ]
    merged = ["A1:F1", "A2:A3", "B2:B3", "C2:D2", "E2:F2"]
    tickets = load_tickets(workbook(tmp_path / "a.xlsx", {"明细": rows}, merged=merged))
    assert tickets.columns["received_at"] == "受理时间"
    assert tickets.columns["nature"] == "投诉分类一级/投诉分类二级"
    assert tickets.frame["text"].tolist() == ["快递丢了"]
    assert tickets.frame["channel"].tolist() == ["热线"]


def test_a_two_row_heading_of_unknown_names_is_known_by_the_merged_text_heading(tmp_path):
    rows = [["投诉内容", "办理", None], [None, "科室", "专员"], ["坏了", "一科", "甲"]]
    path = workbook(tmp_path / "a.xlsx", {"甲": rows}, merged=["A1:A2", "B1:C1"])
    table = read_table(path)
    assert list(table.columns) == ["投诉内容", "科室", "专员"]
    assert table.index.tolist() == [3]


def test_a_two_row_heading_is_joined_in_a_csv_as_well(tmp_path):
    (tmp_path / "a.csv").write_text(
        "2025年汇总,,,\n编号,投诉内容,分类,\n,,一级,二级\n1,坏了,质量,破损\n", "utf-8"
    )
    tickets = load_tickets(tmp_path / "a.csv")
    assert tickets.frame[["row", "text"]].values.tolist() == [[4, "坏了"]]
    assert tickets.columns["nature"] == "分类一级/分类二级"


def test_a_title_above_a_gb18030_csv_is_passed_over(tmp_path):
    (tmp_path / "a.csv").write_bytes("投诉汇总\n投诉内容;渠道\n坏了;app\n".encode("gb18030"))
    assert load_tickets(tmp_path / "a.csv").frame["channel"].tolist() == ["app"]


def test_a_value_that_reads_like_a_heading_makes_no_heading(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"甲": [["说法", "归口"], ["坏了", "产品"]]})
    frame = load_tickets(path, mapping={"说法": "text", "归口": "nature"}).frame
    assert frame[["text", "nature"]].values.tolist() == [["坏了", "产品"]]


def test_cells_merged_downwards_hold_for_each_row(tmp_path):
    rows = [["投诉内容", "投诉类型"], ["快递丢了", "物流"], ["晚到三天", None], ["太贵", "价格"]]
    path = workbook(tmp_path / "a.xlsx", {"甲": rows}, merged=["B2:B3"])
    assert load_tickets(path).frame["nature"].tolist() == ["物流", "物流", "价格"]


def test_all_sheets_with_the_same_text_heading_are_read(tmp_path):
    sheets = {"一月": JANUARY, "说明": [["字段", "含义"], ["编号", "工单编号"]], "二月": FEBRUARY,
              "旧": [["诉求内容"], ["旧的"]], "底稿": JANUARY[1:]}  # fmt: skip
    tickets = load_tickets(workbook(tmp_path / "a.xlsx", sheets, hidden=["底稿"]))
    assert tickets.frame["text"].tolist() == ["快递丢了", "太贵了", "态度差"]
    assert tickets.frame["sheet"].tolist() == ["一月", "一月", "二月"]
    assert tickets.frame["row"].tolist() == [3, 4, 3]
    assert "读取工作表：一月（2 行）、二月（1 行）" in tickets.notes
    assert "没有读取工作表「说明」：没有投诉内容列" in tickets.notes
    left = [note for note in tickets.notes if "没有读取" in note]
    assert "内容列是「诉求内容」，与「投诉内容」不同" in left[1]
    assert "是隐藏的工作表" in left[2]


def test_one_sheet_is_read_where_it_is_named(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"一月": JANUARY, "二月": FEBRUARY})
    assert load_tickets(path, sheet="二月").frame["text"].tolist() == ["态度差"]


def test_a_field_under_another_heading_of_the_next_sheet_is_the_same_field(tmp_path):
    second = [["投诉内容", "问题类型"], ["态度差", "服务"]]
    path = workbook(tmp_path / "a.xlsx", {"一月": JANUARY, "二月": second})
    assert load_tickets(path).frame["nature"].tolist() == ["物流", "价格", "服务"]


def test_totals_footers_and_repeated_headings_are_set_aside_with_their_sheet(tmp_path):
    ends = [["合计", None, 3], HEADING, ["制表人：王芳  审核：李明", None, None]]
    path = workbook(tmp_path / "a.xlsx", {"一月": JANUARY + ends, "二月": FEBRUARY})
    tickets = load_tickets(path)
    assert len(tickets.frame) == 3
    assert tickets.quarantine[["sheet", "row", "reason"]].values.tolist() == [
        ["一月", 5, "是合计行，不是工单"],
        ["一月", 6, "是重复的表头，不是工单"],
        ["一月", 7, "是表尾说明，不是工单"],
    ]


def test_a_repeated_heading_is_no_label_value(tmp_path):
    rows = [["投诉内容", "投诉等级"], ["坏了", "一般"], ["投诉内容", "投诉等级"], ["慢", "重大"]]
    look = look_at(workbook(tmp_path / "a.xlsx", {"甲": rows}))
    assert [value.value for value in look.values["severity"]] == ["一般", "重大"]


def test_lists_and_missing_values_of_a_parquet_file_are_no_crash(tmp_path):
    frame = pd.DataFrame({
        "投诉内容": ["坏了", "慢"], "产品": [["锅", "盖"], None],
        "金额": pd.array([1, None], "Int64"),
        "受理时间": [pd.Timestamp("2025-01-01"), pd.NaT],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet")
    assert load_tickets(tmp_path / "a.parquet").frame["amount"].tolist() == [1.0, None]


@pytest.mark.parametrize(
    "cells",
    [
        ["说明：我买的锅用了三天就掉漆", "", ""],
        ["账单总计 多收了我三十块", "", ""],
        ["", "合计：多扣我两次钱", "费用"],
        ["审核：不通过，没有理由", "一直不给解释", ""],
    ],
)
def test_a_complaint_that_begins_like_a_footer_is_a_ticket(cells):
    text = 1 if cells[1] else 0
    assert footer_reason(cells, text, ["甲", "乙", "丙"]) is None


@given(st.lists(st.sampled_from(["编号", "投诉内容", "渠道", "备注"]), min_size=2, unique=True),
       st.integers(0, 5))  # fmt: skip
def test_the_heading_is_found_below_any_number_of_titles(names, titles):
    rows = [["2025年客户投诉情况汇总"] + [""] * (len(names) - 1)] * titles + [
        names,
        ["1"] * len(names),
    ]
    found = find_heading(rows)
    assert (found.names, found.body) == (names, titles + 1)


@pytest.mark.parametrize(
    ("headings", "levels"),
    [
        (["一级分类", "二级分类", "三级分类"], ("一级分类", "二级分类", "三级分类")),
        (["二级标签", "内容", "一级标签"], ("一级标签", "二级标签")),
        (["投诉大类", "投诉中类", "投诉小类"], ("投诉大类", "投诉中类", "投诉小类")),
        (["问题大类", "问题子类"], ("问题大类", "问题子类")),
        (["一级分类", "内容"], ()),
        (["一级部门", "二级部门"], ()),
        (["产品大类", "产品小类"], ()),
    ],
)
def test_levels_are_known_by_their_headings(headings, levels):
    assert find_levels(headings) == levels


def test_levels_are_joined_and_blanks_are_filled_where_they_can_be():
    table = pd.DataFrame(
        [["物流", "丢件"], ["物流", None], [None, "丢件"], ["其他", "其他"], ["物流", "-"],
         [None, None], [None, "新"]]
    )  # fmt: skip
    assert join_levels(table) == [
        ("物流", "丢件"), ("物流",), ("物流", "丢件"), ("其他",), ("物流",), (), ("新",)
    ]  # fmt: skip


def rolled(counts, min_rows=3):
    labels = pd.Series([name for name, rows in counts.items() for _ in range(rows)], dtype=object)
    paths = {name: tuple(name.split("/")) for name in counts}
    after, moves = roll_up(labels, paths, min_rows)
    return after.value_counts().to_dict(), moves


def test_small_classes_roll_up_beside_large_ones_to_the_rest():
    after, moves = rolled({"物流/丢件": 5, "物流/破损": 2, "物流/送错": 1})
    assert after == {"物流/丢件": 5, "物流/其他": 3}
    assert {(one.was, one.now, one.rows) for one in moves} == {
        ("物流/破损", "物流/其他", 2), ("物流/送错", "物流/其他", 1)
    }  # fmt: skip


def test_small_classes_alone_roll_up_to_the_upper_level():
    assert rolled({"费用/多收": 2, "费用/不明": 2, "服务": 4})[0] == {"费用": 4, "服务": 4}


def test_three_levels_roll_up_step_by_step():
    after, _ = rolled({"售后/退款/慢": 2, "售后/退款/少": 1, "售后/维修": 6, "售后/换货/旧": 1})
    assert after == {"售后/维修": 6, "售后/退款": 3, "售后/其他": 1}


NAMES = st.sampled_from("甲乙丙丁")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)


@given(st.lists(PATHS, max_size=60), st.integers(1, 5))
def test_rolling_up_keeps_rows_upper_levels_and_large_classes(paths, min_rows):
    labels = pd.Series(["/".join(path) for path in paths], dtype=object)
    after, _ = roll_up(labels, {"/".join(path): path for path in paths}, min_rows)
    assert len(after) == len(labels)
    counts = labels.value_counts()
    for was, now in zip(labels, after, strict=True):
        assert was.split("/")[0] == now.split("/")[0]
        assert now == was or counts[was] < min_rows
    small = after.value_counts()
    for name in small[small < min_rows].index:
        assert name.count("/") == 0 or name.endswith(REST)


def test_a_two_level_file_names_what_was_rolled_up_and_what_is_too_small(tmp_path):
    rows = [f"第{i}件快递丢了,物流,丢件" for i in range(5)] + [
        f"第{i}个箱子破了,物流,破损" for i in range(4)
    ]
    rows += ["送错了,物流,送错", "多收钱,费用,多收", "说不清,费用,不明"]
    (tmp_path / "a.csv").write_text("\n".join(["投诉内容,一级分类,二级分类", *rows]), "utf-8")
    tickets = load_tickets(tmp_path / "a.csv")
    note = next(note for note in tickets.notes if "并入上级" in note)
    assert "物流/送错（1 行）→ 物流/其他" in note and "费用/多收（1 行）→ 费用" in note
    left = set_aside_small_classes(tickets)
    assert set(left.frame["nature"]) == {"物流/丢件", "物流/破损"}
    assert "物流/其他（1 行）" in left.notes[-1] and "费用（2 行）" in left.notes[-1]


def test_a_long_tail_of_sixty_flat_classes_keeps_its_large_ones():
    sizes = [max(1, 500 // (rank + 1)) for rank in range(57)] + [1, 2, 1]
    nature = [f"类{at}" for at, rows in enumerate(sizes) for _ in range(rows)]
    frame = pd.DataFrame({"row": range(len(nature)), "text": "x", "nature": nature})
    left = set_aside_small_classes(Tickets(frame, pd.DataFrame()))
    assert left.frame["nature"].nunique() == 57
    assert "类58（2 行）" in left.notes[0]
