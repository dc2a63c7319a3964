import openpyxl
import pandas as pd
import pytest

from triage.batch import write_table
from triage.data import (
    CORRECTION_COLUMNS,
    is_corrections_table,
    join_corrections,
    latest_corrections,
    load_tickets,
    read_corrections,
    set_aside_small_classes,
    ticket_key,
)
from triage.schema import UsageError

NAMES = {"nature": {"产品质量": "product", "物流": "logistics", "售后": "售后"}}
TICKETS = pd.DataFrame({
    "投诉内容": ["快递三天没到", "=客服骂人，还挂电话", "冰箱坏了，请打13800001234", "太贵"],
    "性质": ["product", "product", "logistics", "price"],
    "严重程度": ["minor", "minor", "major", "minor"],
})  # fmt: skip


def table(**columns):
    """A corrections table with the given cells; our names for the headings."""
    rows = len(next(iter(columns.values())))
    frame = pd.DataFrame(index=range(rows), columns=list(CORRECTION_COLUMNS), dtype=object)
    return frame.assign(**columns).rename(columns=CORRECTION_COLUMNS)


def read(tmp_path, name="a.csv", **columns):
    write_table(table(**columns), tmp_path / name)
    return read_corrections(tmp_path / name, names=NAMES)


@pytest.fixture
def tickets(tmp_path):
    TICKETS.to_csv(tmp_path / "tickets.csv", index=False)
    return load_tickets(tmp_path / "tickets.csv")


def log(*rows):
    """Corrections as a store holds them: text, head, label, by, day."""
    return pd.DataFrame([
        {"key": ticket_key(text), "text": text, "head": head, "label": label, "by": by,
         "at": pd.Timestamp(f"2026-11-{day:02}", tz="Asia/Shanghai"), "source": "a.xlsx"}
        for text, head, label, by, day in rows
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.parquet"])
def test_labels_are_read_by_id_display_name_and_alias(tmp_path, name):
    found = read(
        tmp_path, name,
        text=["快递三天没到", "客服骂人", "冰箱坏了"],
        right_nature=["物流", "Product", None],
        right_severity=[None, "重大", "severe"],
        right_emotion=["生气", None, None],
    ).frame  # fmt: skip
    said = list(zip(found["row"], found["head"], found["label"], strict=True))
    assert said == [
        (2, "nature", "logistics"), (2, "emotion", "angry"), (3, "nature", "product"),
        (3, "severity", "critical"), (4, "severity", "severe"),
    ]  # fmt: skip
    assert found["key"][0] == ticket_key("快递三天没到")


def test_a_tick_confirms_the_label_on_its_left(tmp_path):
    found = read(
        tmp_path, text=["甲坏了", "乙坏了", "丙坏了"], nature=["物流", None, "退货"],
        right_nature=["√", "对", "✓"], severity=["很急", None, None],
        right_severity=["√", None, None],
    )  # fmt: skip
    assert found.frame[["label", "was"]].to_numpy().tolist() == [
        ["logistics", "logistics"], ["退货", "退货"]
    ]  # fmt: skip
    reasons = dict(zip(found.quarantine["row"], found.quarantine["reason"], strict=True))
    assert "左边没有标签可以确认" in reasons[3]
    assert "不认识；可用 一般（minor）、较大（major）" in reasons[2]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"right_severity": "很重"}, "不认识；可用 一般（minor）、较大（major）、重大（critical）"),
        ({"right_emotion": "激动"}, "不认识；可用 平静（calm）"),
        ({"right_nature": "应该转给别的部门，不归我们管"}, "像是说明"),
        ({"right_nature": "？？"}, "不是性质的名称"),
        ({"right_nature": "找13800001234"}, "含有个人信息"),
        ({"right_nature": "物流", "text": None}, "不知道是哪张工单"),
    ],
    ids=["step", "emotion", "remark", "marks", "personal", "no ticket"],
)
def test_a_cell_that_cannot_be_used_is_refused_with_its_reason(tmp_path, cells, reason):
    columns = {"text": ["快递丢了"]} | {name: [cell] for name, cell in cells.items()}
    found = read(tmp_path, **columns)
    assert found.frame.empty
    assert found.quarantine["row"].tolist() == [2]
    assert reason in found.quarantine["reason"][0]
    assert "13800001234" not in found.quarantine.to_csv()


def test_a_new_nature_is_taken_and_a_likely_slip_is_named(tmp_path):
    found = read(tmp_path, text=["甲坏了", "乙坏了"], right_nature=["产品质里", "停车"])
    assert found.frame["label"].tolist() == ["产品质里", "停车"]
    assert "如果是「产品质量」的笔误" in found.notes[0]
    assert found.notes[1].startswith("「停车」是模型和策略都没有的新性质")


def test_a_table_without_a_filled_cell_or_without_headings_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match="no cell under 正确性质、正确严重程度、正确情绪 is filled"
    ):
        read(tmp_path, text=["坏了"], nature=["物流"])
    TICKETS.to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(UsageError, match="b.csv is no corrections table"):
        read_corrections(tmp_path / "b.csv")
    assert is_corrections_table([" 内容", "正确情绪 "])
    assert not is_corrections_table(list(TICKETS))


def test_a_key_that_a_spreadsheet_spoilt_is_mended(tmp_path):
    (tmp_path / "a.csv").write_text(
        "工单指纹,内容,正确性质\n123456789012,电话***********坏了,物流\n1.2E+33,快递丢了,物流\n",
        "utf-8",
    )
    found = read_corrections(tmp_path / "a.csv").frame
    assert found["key"].tolist() == ["00123456789012", ticket_key("快递丢了")]


def test_a_table_of_which_some_columns_were_sorted_is_refused(tmp_path):
    texts = ["甲坏了", "乙坏了", "丙坏了", "电话***********"]
    keys = [ticket_key(text) for text in texts]
    with pytest.raises(
        UsageError, match=r"in 2 rows \(such as 2, 3\) 工单指纹 is not that of 内容"
    ):
        read(tmp_path, key=[keys[1], keys[0], *keys[2:]], text=texts, right_nature=["物流"] * 4)


def test_copies_of_a_text_that_excel_reads_alike_are_not_taken_for_sorted(tmp_path):
    keys = [ticket_key("甲坏了_x000D_"), ticket_key("甲坏了")]
    found = read(tmp_path, "a.xlsx", key=keys, text=["甲坏了", "甲坏了"], right_nature=["物流"] * 2)
    assert found.frame["key"].tolist() == keys


def test_a_text_that_was_touched_up_keeps_its_key(tmp_path):
    found = read(tmp_path, key=["0123456789abcd"], text=["甲坏掉了"], right_nature=["物流"])
    assert found.frame["key"].tolist() == ["0123456789abcd"]


def test_of_two_rows_for_one_ticket_the_later_stands_and_is_noted(tmp_path):
    found = read(tmp_path, text=["甲坏了", "甲坏了！"], right_nature=["物流", "售后"])
    assert found.frame["label"].tolist() == ["售后"]
    assert "不同说法的 1 处" in found.notes[0]


def test_stored_texts_are_masked_and_the_mark_of_safety_is_taken_off(tmp_path):
    found = read(
        tmp_path,
        text=["=1+1，电话13800001234"],
        right_nature=["物流"],
        why=["-客户电话13800001234"],
    ).frame
    assert found["text"][0] == "=1+1，电话***********"
    assert found["why"][0] == "-客户电话***********"
    assert found["key"][0] == ticket_key("=1+1，电话13800001234")


def test_the_newest_correction_wins_and_another_persons_is_a_conflict():
    said = log(
        ("快递丢了", "nature", "product", "甲", 3), ("快递丢了", "nature", "logistics", "乙", 5),
        ("快递丢了", "nature", "service", "丙", 4), ("快递丢了", "nature", "logistics", "丙", 6),
        ("太贵", "nature", "service", "甲", 1), ("太贵", "nature", "price", "甲", 2),
    )  # fmt: skip
    latest = latest_corrections(said).set_index("key")
    lost, dear = latest.loc[ticket_key("快递丢了")], latest.loc[ticket_key("太贵")]
    assert (lost["label"], lost["by"], lost["conflict"]) == ("logistics", "丙", True)
    assert lost["others"] == [("甲 2026-11-03", "product")]
    assert (dear["label"], dear["conflict"], dear["others"]) == ("price", False, [])


def test_without_names_two_files_that_disagree_are_a_conflict():
    said = log(("太贵", "nature", "price", None, 1), ("太贵", "nature", "service", None, 2))
    said["source"] = ["a.xlsx", "b.xlsx"]
    assert latest_corrections(said)["others"][0] == [("a.xlsx 2026-11-01", "price")]


def test_corrections_change_confirm_and_add_tickets(tickets):
    said = log(
        ("快递三天没到", "nature", "logistics", "甲", 1), ("太贵", "nature", "price", "甲", 1),
        ("赠品没给，电话***********", "nature", "product", "甲", 2),
        ("赠品没给，电话***********", "severity", "major", "甲", 2),
    )  # fmt: skip
    said.loc[2:, "key"] = "0123456789abcd"
    joined = join_corrections(tickets, said)
    frame = joined.frame.set_index("text")
    assert frame["nature"].to_dict() == {
        "快递三天没到": "logistics", "=客服骂人，还挂电话": "product",
        "冰箱坏了，请打13800001234": "logistics", "太贵": "price",
        "赠品没给，电话***********": "product",
    }  # fmt: skip
    assert frame["source"].tolist() == ["feedback", "file", "file", "feedback", "feedback"]
    assert frame["key"].iloc[-1] == "0123456789abcd"
    assert (frame["row"].iloc[-1], frame["severity"].iloc[-1]) == (0, "major")
    assert "改标签 1 处，补标签 0 处，确认 1 处，补入文件里没有的工单 1 张" in joined.notes[-1]
    assert tickets.frame["nature"][0] == "product"


def test_an_added_ticket_stands_for_one_row_with_empty_other_heads(tickets):
    joined = join_corrections(tickets, log(("停车费乱收", "severity", "major", "甲", 1)))
    last = joined.frame.iloc[-1]
    assert len(joined.frame) == 5
    assert last["severity"] == "major"
    assert last["nature"] is None
    assert len(set_aside_small_classes(joined, min_rows=1).frame) == 5


def test_a_masked_copy_of_a_ticket_is_found_by_its_text(tickets):
    said = log(("冰箱坏了，请打***********", "nature", "product", "甲", 1))
    frame = join_corrections(tickets, said).frame
    assert len(frame) == 4
    assert frame["nature"][2] == "product"


def test_a_head_without_labels_in_the_file_is_not_trained_on_a_few_corrections(tickets):
    joined = join_corrections(tickets, log(("太贵", "emotion", "angry", "甲", 1)))
    assert joined.heads == ["nature", "severity"]
    assert set(joined.frame["source"]) == {"file"}
    assert "情绪的 1 处更正没有用上" in joined.notes[-1]


def test_a_correction_of_an_unknown_ticket_without_text_is_counted_as_lost(tickets):
    said = log(("别处的工单", "nature", "price", "甲", 1)).assign(text="")
    joined = join_corrections(tickets, said)
    assert len(joined.frame) == 4
    assert any(note.startswith("1 处更正没有用上") for note in joined.notes)


def test_conflicts_stand_in_the_notes_with_both_words(tickets):
    said = log(("太贵", "nature", "price", "甲", 1), ("太贵", "nature", "service", "乙", 2))
    joined = join_corrections(tickets, said)
    assert joined.frame["nature"][3] == "service"
    assert joined.notes[-1].endswith("「太贵」取 乙 的 service；甲 2026-11-01 说 price")


def test_without_corrections_every_ticket_comes_from_the_file(tickets):
    joined = join_corrections(tickets, log(("太贵", "nature", "price", "甲", 1)).head(0))
    assert set(joined.frame["source"]) == {"file"}
    assert joined.notes == tickets.notes


def test_an_excel_table_that_was_filled_in_by_hand_changes_the_training_labels(tmp_path, tickets):
    frame = tickets.frame
    write_table(
        table(key=frame["text"].map(ticket_key), row=frame["row"], text=frame["text"],
              nature=frame["nature"]),
        tmp_path / "to_fill.xlsx",
    )  # fmt: skip
    book = openpyxl.load_workbook(tmp_path / "to_fill.xlsx")
    sheet = book.active
    place = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.cell(3, place["内容"]).value == "'=客服骂人，还挂电话"
    for row, label in ((2, "物流"), (3, "服务质量"), (5, "√")):
        sheet.cell(row, place["正确性质"]).value = label
    book.save(tmp_path / "filled.xlsx")
    names = {"nature": {"物流": "logistics", "服务质量": "service"}}
    found = read_corrections(tmp_path / "filled.xlsx", names=names)
    assert found.quarantine.empty
    joined = join_corrections(tickets, found.frame)
    assert joined.frame["nature"].tolist() == ["logistics", "service", "logistics", "price"]
    assert joined.frame["source"].tolist() == ["feedback", "feedback", "file", "feedback"]
    assert found.frame["text"][1] == "=客服骂人，还挂电话"


def test_a_table_of_corrections_is_no_file_of_tickets(tmp_path):
    table = pd.DataFrame(
        {"工单指纹": ["a"], "内容": ["太贵了"], "性质": ["服务"], "正确性质": ["价格"]}
    )
    table.to_excel(tmp_path / "audit.xlsx", index=False)
    with pytest.raises(UsageError, match="triage feedback import"):
        load_tickets(tmp_path / "audit.xlsx")


def test_a_nature_of_another_taxonomy_adds_no_ticket(tickets):
    said = log(("别处的工单", "nature", "别的分类", "甲", 1))
    joined = join_corrections(tickets, said)
    assert len(joined.frame) == len(tickets.frame)
    assert "其性质不在这份文件的分类里" in joined.notes[-1]
