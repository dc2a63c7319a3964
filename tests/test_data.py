import gzip

import numpy as np
import pandas as pd
import pytest

from triage.data import (
    Tickets,
    clean_fact,
    decode,
    load_tickets,
    near_duplicate_groups,
    read_label_mapping,
    read_table,
    recognise,
    set_aside_small_classes,
    split,
)
from triage.schema import SHANGHAI, DataError, UsageError

EXPORT = pd.DataFrame(
    {
        "工单编号": ["A1", "A2", "A3", "A4"],
        "投诉内容": [
            "快递丢了，三天没人管",
            "客服态度太差了",
            "多扣了我三百块钱",
            "衣服洗一次就破",
        ],
        "投诉类型": ["物流", "服务", "价格", "产品"],
        "投诉等级": ["较大", "一般", "重大", "一般"],
        "受理时间": ["2026-03-01 10:00", "2026年3月2日", "2026/3/3 8:05", "2026-03-04"],
        "客户编号": ["c1", "c2", "c3", "c4"],
        "渠道": ["app", "热线", "web", "12315"],
        "涉及金额": ["", "¥1,200", "1.5万", "300元"],
    }
)


def write_csv(path, frame=EXPORT, encoding="utf-8"):
    path.write_bytes(frame.to_csv(index=False).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_is_read_in_any_common_encoding(tmp_path, encoding):
    tickets = load_tickets(write_csv(tmp_path / "past.csv", encoding=encoding))
    assert tickets.frame["text"].tolist() == EXPORT["投诉内容"].tolist()
    assert tickets.frame["nature"].tolist() == EXPORT["投诉类型"].tolist()


def test_excel_and_parquet_give_the_same_tickets(tmp_path):
    EXPORT.to_excel(tmp_path / "past.xlsx", index=False)
    EXPORT.to_parquet(tmp_path / "past.parquet")
    (tmp_path / "past.csv.gz").write_bytes(gzip.compress(EXPORT.to_csv(index=False).encode()))
    frames = [
        load_tickets(tmp_path / name).frame for name in ("past.xlsx", "past.parquet", "past.csv.gz")
    ]
    for other in frames[1:]:
        pd.testing.assert_frame_equal(frames[0], other)


def test_chinese_headings_values_and_facts_are_understood(tmp_path):
    tickets = load_tickets(write_csv(tmp_path / "past.csv"))
    frame = tickets.frame
    assert tickets.columns["text"] == "投诉内容"
    assert frame["severity"].tolist() == ["major", "minor", "critical", "minor"]
    assert frame["amount"].tolist() == [None, 1200.0, 15000.0, 300.0]
    assert frame["received_at"][2] == pd.Timestamp("2026-03-03 08:05", tz=SHANGHAI)
    assert frame["row"].tolist() == [2, 3, 4, 5]
    assert tickets.heads == ["nature", "severity"]


@pytest.mark.parametrize(
    ("headings", "column", "heading"),
    [
        (["编号", "诉求内容"], "text", "诉求内容"),
        (["内容", "投诉内容"], "text", "投诉内容"),
        (["Content", "Type"], "nature", "Type"),
        ([" 客户 编号 ", "text"], "customer_id", " 客户 编号 "),
    ],
)
def test_a_heading_is_recognised(headings, column, heading):
    assert recognise(headings, {})[column] == heading


def test_a_mapping_goes_before_what_is_recognised():
    assert recognise(["a", "text"], {"a": "text"}) == {"text": "a"}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"没有": "text"}, "has no column '没有'; it has a, b"),
        ({"a": "txt"}, "'txt' is none of text"),
    ],
)
def test_a_wrong_mapping_names_what_there_is(mapping, message):
    with pytest.raises(UsageError, match=message):
        recognise(["a", "b"], mapping)


def test_bad_rows_go_to_the_quarantine_with_row_and_reason(tmp_path):
    path = tmp_path / "past.csv"
    path.write_text(
        "投诉内容,投诉等级,涉及金额\n坏了,一般,很多\n,一般,\n太慢,紧急,\n好贵,重大,5\n多一列,一般,1,2\n",
        "utf-8",
    )
    tickets = load_tickets(path)
    assert tickets.frame["text"].tolist() == ["坏了", "好贵"]
    faults = {row: (reason, kept) for row, reason, kept in tickets.quarantine[
        ["row", "reason", "kept"]].itertuples(index=False)}  # fmt: skip
    assert faults[2] == ("「很多」不是金额，该项忽略", True)
    assert faults[3] == ("内容为空", False)
    assert "「紧急」不认识" in faults[4][0]
    assert faults[6] == ("有 4 列，表头只有 3 列", False)


def test_a_label_mapping_file_translates_a_companys_words(tmp_path):
    (tmp_path / "labels.yaml").write_text("severity: {紧急: critical}\nnature: {a: 甲}", "utf-8")
    labels = read_label_mapping(tmp_path / "labels.yaml")
    path = tmp_path / "past.csv"
    path.write_text("text,nature,severity\n太慢,a,紧急\n太贵,b,一般\n", "utf-8")
    frame = load_tickets(path, labels=labels).frame
    assert frame["severity"].tolist() == ["critical", "minor"]
    assert frame["nature"].tolist() == ["甲", "b"]


def test_a_broken_label_mapping_is_refused(tmp_path):
    (tmp_path / "labels.yaml").write_text("紧急: critical", "utf-8")
    with pytest.raises(DataError, match="one entry for each of nature, severity, emotion"):
        read_label_mapping(tmp_path / "labels.yaml")


def test_an_undecodable_row_costs_only_itself(tmp_path):
    path = tmp_path / "past.csv"
    good = "投诉内容\n" + "".join(f"第{i}条投诉内容很长很长\n" for i in range(30))
    path.write_bytes(good.encode() + b"\xe5\xbf\xff\xfe\n")
    tickets = load_tickets(path)
    assert len(tickets.frame) == 30
    assert tickets.quarantine["reason"].tolist() == ["内容里有无法解码的字节"]


def test_decode_tells_gb18030_from_utf8():
    assert decode("投诉".encode("gb18030")) == ("投诉", "gb18030")
    assert decode("投诉".encode()) == ("投诉", "utf-8-sig")


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("none.csv", None, UsageError, "does not exist: check the path"),
        ("a.docx", b"x", UsageError, r"\.docx files can't be read; save it as one of \.csv"),
        ("a.csv", b"", DataError, "is empty: export it again"),
        ("a.csv", b"\n\n", DataError, "is empty: export it again"),
        ("a.csv", b"text\n", DataError, "has a heading but no rows"),
        ("a.xlsx", b"not a zip file", DataError, "no intact Excel file"),
        ("a.parquet", b"PAR1 no", DataError, "no intact Parquet file"),
        ("a.csv.gz", b"no gzip", DataError, "no intact gzip file"),
        ("a.csv", "名字\n甲\n".encode(), UsageError, "no column is recognised.*--map 列名=text"),
        ("a.csv", "text,severity\n坏了,x\n".encode(), DataError, "no row can be used.*row 2"),
    ],
    ids=["missing", "kind", "empty", "blank", "heading-only", "excel", "parquet", "gzip",
         "no-text", "all-bad"],
)  # fmt: skip
def test_an_unusable_file_says_what_to_do(tmp_path, name, content, error, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=message):
        load_tickets(path)


def test_a_missing_sheet_is_named(tmp_path):
    EXPORT.to_excel(tmp_path / "past.xlsx", index=False, sheet_name="一月")
    with pytest.raises(UsageError, match="no sheet '二月': it has 一月"):
        read_table(tmp_path / "past.xlsx", "二月")


def test_exact_duplicates_are_merged_and_conflicts_set_aside(tmp_path):
    path = tmp_path / "past.csv"
    path.write_text(
        "text,nature\n坏了！,a\n坏了!,a\n坏了！,b\n慢,b\n慢,b\n", "utf-8"
    )  # fmt: skip
    tickets = load_tickets(path)
    assert tickets.frame[["text", "nature"]].values.tolist() == [["坏了！", "a"], ["慢", "b"]]
    assert tickets.quarantine["row"].tolist() == [4]
    assert any("2 行已合并" in note for note in tickets.notes)


def test_near_duplicates_share_a_group_in_any_order():
    long = "快递员把冰箱从车上直接扔下来，门都变形了，客服说要等七天才能答复"
    texts = [long, long + "，太气人", "暖气不热，打了三次电话没人来", "今天的面条很咸"]
    groups = near_duplicate_groups(texts)
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3
    assert near_duplicate_groups(texts[::-1]).tolist() == groups[::-1].tolist()


def tickets_of(frame):
    return Tickets(frame, pd.DataFrame())


def test_a_split_keeps_groups_together_and_is_stable():
    groups = np.repeat(np.arange(300), 2)
    frame = pd.DataFrame({"text": "x", "group": groups})
    test = split(tickets_of(frame), test_share=0.2)
    assert (test[::2] == test[1::2]).all()
    assert 0.1 < test.mean() < 0.3
    shuffled = frame.sample(frac=1, random_state=1)
    again = split(tickets_of(shuffled), test_share=0.2)
    assert set(shuffled["group"][again]) == set(frame["group"][test])


def test_a_label_that_would_be_held_out_whole_stays_in_training():
    frame = pd.DataFrame({"text": "x", "group": range(200), "nature": "甲"})
    lost = split(tickets_of(frame))
    frame.loc[np.flatnonzero(lost)[:3], "nature"] = "乙"
    test = split(tickets_of(frame))
    assert set(frame["nature"][~test]) == {"甲", "乙"}
    assert test.any()


def test_a_split_by_time_holds_out_the_latest():
    times = pd.date_range("2026-01-01", periods=50, tz=SHANGHAI)
    frame = pd.DataFrame({"text": "x", "group": range(50), "received_at": times})
    test = split(tickets_of(frame), by="time", test_share=0.2)
    assert test.tolist() == [False] * 40 + [True] * 10


def test_a_split_by_time_without_times_says_what_to_map():
    frame = pd.DataFrame({"text": ["x", "y"], "group": [1, 2]})
    with pytest.raises(DataError, match="--map 列名=received_at"):
        split(tickets_of(frame), by="time")


def test_too_few_tickets_to_hold_out_are_refused():
    frame = pd.DataFrame({"text": ["x"], "group": [1]})
    with pytest.raises(DataError, match="too few to hold some out"):
        split(tickets_of(frame))


def test_a_tiny_class_is_set_aside_by_name():
    frame = pd.DataFrame({"row": range(9), "text": list("abcdefghi"),
                          "nature": ["甲"] * 4 + ["乙"] * 4 + ["丙"]})  # fmt: skip
    tickets = set_aside_small_classes(tickets_of(frame))
    assert set(tickets.frame["nature"]) == {"甲", "乙"}
    assert "丙（1 行）" in tickets.notes[0]
    assert tickets.quarantine["reason"].tolist() == ["该性质不足 3 行"]


def test_one_class_alone_is_refused_with_what_to_do():
    frame = pd.DataFrame({"row": range(4), "text": list("abcd"), "nature": ["甲"] * 4})
    with pytest.raises(DataError, match=r"nature has 1 class\(es\) \(甲\).*--map names the right"):
        set_aside_small_classes(tickets_of(frame))


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("amount", "￥3,500.50元", 3500.5),
        ("amount", "2万", 20000.0),
        ("repeat_count", "3次", 3),
        ("repeat_count", 2.0, 2),
        ("kind", "咨询类", "question"),
        ("customer_id", 10086.0, "10086"),
        ("region", "  ", None),
        ("received_at", 46082.5, pd.Timestamp("2026-03-01 12:00", tz=SHANGHAI)),
    ],
)
def test_a_cell_becomes_a_fact(column, cell, value):
    assert clean_fact(column, cell) == value


@pytest.mark.parametrize(
    ("column", "cell"),
    [("amount", "-5"), ("repeat_count", "1.5"), ("received_at", "昨天"), ("kind", "x")],
)
def test_a_cell_that_is_no_fact_is_refused(column, cell):
    with pytest.raises(ValueError, match=f"「{cell}」不是"):
        clean_fact(column, cell)


def test_a_blank_label_is_no_fault_and_no_conflict(tmp_path):
    path = tmp_path / "past.csv"
    path.write_text("text,nature,severity\n坏了,a,\n坏了,,\n慢,,minor\n贵,b,major\n", "utf-8")
    tickets = load_tickets(path)
    assert tickets.frame["text"].tolist() == ["坏了", "慢", "贵"]
    assert tickets.quarantine.empty


def test_a_split_by_time_keeps_every_label_in_training():
    times = pd.date_range("2026-01-01", periods=50, tz=SHANGHAI)
    nature = ["甲"] * 45 + ["乙"] * 5
    frame = pd.DataFrame({"text": "x", "group": range(50), "received_at": times, "nature": nature})
    test = split(tickets_of(frame), by="time", test_share=0.2)
    assert set(frame["nature"][~test]) == {"甲", "乙"}


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("投诉内容\n太贵了,退钱,快\n", ["太贵了,退钱,快"]),
        ('投诉内容,渠道\n"太差了,app\n太贵了,web\n', ["太差了,app", "太贵了"]),
        ("投诉内容,渠道,,\n坏了,app,,\n", ["坏了"]),
        ("备注,投诉内容,备注\nx,坏了,y\n", ["坏了"]),
    ],
    ids=["one-column", "stray-quote", "trailing-commas", "repeated-heading"],
)
def test_crooked_csv_files_keep_their_rows(tmp_path, content, texts):
    (tmp_path / "a.csv").write_text(content, "utf-8")
    assert load_tickets(tmp_path / "a.csv").frame["text"].tolist() == texts


def test_a_title_above_the_headings_is_passed_over(tmp_path):
    cells = [["2025年投诉汇总", None], [None, None], ["投诉内容", "投诉类型"], ["坏了", "物流"]]
    pd.DataFrame(cells).to_excel(tmp_path / "a.xlsx", index=False, header=False)
    frame = load_tickets(tmp_path / "a.xlsx").frame
    assert frame[["row", "text", "nature"]].values.tolist() == [[4, "坏了", "物流"]]


def test_one_lost_byte_does_not_make_a_file_gb18030():
    text = "投诉内容，" * 30
    raw = bytearray(text.encode())
    raw[40] = 0xFF
    assert decode(bytes(raw))[1] == "utf-8-sig"


@pytest.mark.parametrize("moment", ["9999-12-31", "0001-01-01"])
def test_a_database_filler_is_no_time(moment):
    with pytest.raises(ValueError, match="不是时间"):
        clean_fact("received_at", moment)
    assert clean_fact("received_at", pd.NaT) is None


def test_labels_may_be_mapped_to_our_chinese_names_only_to_known_steps(tmp_path):
    path = tmp_path / "labels.yaml"
    path.write_text("severity: {紧急: 特大}", "utf-8")
    assert read_label_mapping(path) == {"severity": {"紧急": "severe"}}
    path.write_text("severity: {紧急: 很大}", "utf-8")
    with pytest.raises(DataError, match=r"severity\.紧急 is '很大': it must be one of minor"):
        read_label_mapping(path)


def test_two_headings_for_one_column_are_refused():
    with pytest.raises(UsageError, match="--map names two headings for text"):
        recognise(["a", "b"], {"a": "text", "b": "text"})


def test_a_heading_that_is_like_no_other_is_guessed():
    found = recognise(["工单号", "客户反映内容", "处理内容", "问题归类", "紧急度", "受理时间"], {})
    assert found == {
        "id": "工单号", "text": "客户反映内容", "nature": "问题归类", "severity": "紧急度",
        "received_at": "受理时间",
    }  # fmt: skip
    assert "nature" not in recognise(["内容", "甲方归类", "乙方归类"], {})
