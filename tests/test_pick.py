import re
import sys

import openpyxl
import pandas as pd
import pytest
import typer

from triage.batch import pick_tickets, write_table
from triage.cli.feedback import feedback
from triage.cli.review import review
from triage.cli.terminal import run_command
from triage.data import CORRECTION_COLUMNS, load_tickets, read_corrections, ticket_key
from triage.schema import Complaint, UsageError

LIKE = "我在你们店里买的{}用了三天就坏了，找客服没人理，到底退不退"
THINGS = ("电饭锅", "吹风机", "电风扇", "台灯", "耳机", "水壶", "书桌", "窗帘", "手表", "键盘")


@pytest.fixture(scope="module")
def doubts(corpus):
    """Tickets that no model has seen, with copies and near copies, personal data and nonsense."""
    some = corpus["text"].iloc[::40].head(240).tolist()
    texts = [f"{one}；另外，{other}" for one, other in zip(some[:120], some[120:], strict=True)]
    odd = [
        "",
        "   ",
        "zxcvb qwrty plmnb",
        "电话13800001234，" + texts[0],
        texts[1],
        texts[1] + "！",
    ]
    return [Complaint(text=text, id=f"T{at}") for at, text in enumerate([*texts, *odd])]


@pytest.fixture(scope="module")
def picked(desk, doubts):
    return pick_tickets(desk, doubts, 15)


def test_as_many_as_asked_for_come_back_as_a_corrections_table(picked):
    assert len(picked) == 15
    assert list(picked)[: len(CORRECTION_COLUMNS)] == list(CORRECTION_COLUMNS.values())
    assert picked["工单指纹"].is_unique
    assert picked[["正确性质", "正确严重程度", "正确情绪", "说明"]].isna().all(axis=None)


def test_each_row_names_guess_sureness_and_reason_in_chinese(picked, desk):
    names = desk.policy.file.labels
    assert set(picked["性质"]) <= set(names.nature.values())
    assert set(picked["严重程度"]) <= set(names.severity.values())
    assert set(picked["情绪"]) <= set(names.emotion.values())
    assert all(
        re.fullmatch(r"性质 \d+%，严重程度 \d+%，情绪 \d+%", cell) for cell in picked["把握"]
    )
    assert all("之间拿不准" in cell for cell in picked["为什么选它"])


def test_rows_and_keys_find_the_tickets_again(picked, doubts):
    for row in picked.to_dict("records"):
        complaint = doubts[row["行号"] - 1]
        assert row["工单指纹"] == ticket_key(complaint.text)
        assert row["工单编号"] == complaint.id


def test_the_picked_are_more_doubtful_than_the_rest(desk, doubts, picked):
    def least_sure(numbers):
        answers = desk.assess_many([doubts[number - 1] for number in numbers])
        heads = [(one.nature, one.severity, one.emotion) for one in answers]
        return sum(head.probability for three in heads for head in three) / (3 * len(answers))

    rest = set(range(1, 121)) - set(picked["行号"])
    assert least_sure(picked["行号"]) < least_sure(rest) - 0.05


def test_near_duplicates_count_once(desk):
    alike = [Complaint(text=LIKE.format(thing)) for thing in THINGS]
    other = [
        Complaint(text="快递员态度恶劣，摔坏了东西还骂人"),
        Complaint(text="乱收停车费，不开发票"),
    ]
    found = pick_tickets(desk, [*alike, *other], 12)
    assert sum(text.startswith("我在你们店里买的") for text in found["内容"]) == 1
    assert len(found) == 3


def test_what_was_learned_is_passed_over(desk, doubts, picked):
    again = pick_tickets(desk, doubts, 15, learned=set(picked["工单指纹"]))
    assert not set(again["工单指纹"]) & set(picked["工单指纹"])


def test_nothing_to_choose_from_is_said(desk):
    with pytest.raises(UsageError, match="None of the 2 tickets can teach the model"):
        pick_tickets(desk, [Complaint(text=" "), Complaint(text="xkcd qwz")], 5)


def test_fewer_come_back_where_there_are_fewer_and_progress_counts_all(desk, doubts):
    seen = []
    found = pick_tickets(desk, doubts, 500, on_step=seen.append)
    assert 100 < len(found) <= 121
    assert sum(seen) == len(doubts)
    assert "13800001234" not in found.to_csv()


def test_row_numbers_of_the_file_are_kept(desk):
    found = pick_tickets(desk, [Complaint(text="快递丢了没人赔")], 1, rows=[77])
    assert found["行号"].tolist() == [77]
    assert "工单编号" not in found


def test_a_costly_doubt_about_severity_counts_more_than_a_cheap_one():
    from triage.batch.pick import _risk
    from triage.policy import load_policy
    from triage.schema import SEVERITIES

    costs = load_policy("default").file.cost_matrix
    risk = _risk(
        pd.DataFrame([[1, 0, 0, 0], [0.7, 0.3, 0, 0], [0.7, 0, 0.3, 0], [0.25] * 4]).to_numpy(),
        SEVERITIES, costs,
    )  # fmt: skip
    assert risk[0] == 0
    assert risk[1] < risk[2]
    assert risk[3] == 1


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, home):
    """Run `triage review …` or `triage feedback …`; the output with blanks folded."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(review, name="review")
    app.add_typer(feedback, name="feedback")
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{tmp_path / 'a.db'}")
    monkeypatch.chdir(tmp_path)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["triage", *map(str, words)])
        try:
            run_command(app)
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, re.sub(r"\s+", " ", out), re.sub(r"\s+", " ", err)

    return call


def test_pick_fill_import_and_pick_again(run, tmp_path, doubts):
    texts = [complaint.text for complaint in doubts]
    pd.DataFrame({"编号": range(len(texts)), "来信": texts}).to_excel(
        tmp_path / "new.xlsx", index=False
    )
    code, out, err = run("review", "pick", 10, "--from", "new.xlsx", "-o", "fill.xlsx",
                         "--map", "来信=text")  # fmt: skip
    assert (code, "挑出 10 条 → fill.xlsx" in out) == (0, True)
    assert "阅读工单，找出拿不准的" in err
    book = openpyxl.load_workbook("fill.xlsx")
    place = {cell.value: cell.column for cell in book.active[1]}
    for row in range(2, 12):
        book.active.cell(row, place["正确性质"]).value = "√" if row % 2 else "价格"
    book.save("fill.xlsx")
    code, out, _ = run("feedback", "import", "fill.xlsx", "--by", "张三")
    assert "读到 10 处更正，涉及 10 张工单；新增 10 处" in out
    run("review", "pick", 10, "--from", "new.xlsx", "-o", "more.xlsx", "--map", "来信=text")
    first, second = (pd.read_excel(name, engine="calamine") for name in ("fill.xlsx", "more.xlsx"))
    assert not set(first["工单指纹"]) & set(second["工单指纹"])


def test_what_the_model_was_trained_on_is_not_picked(run, corpus):
    corpus.head(50).to_csv("old.csv", index=False)
    code, _, err = run("review", "pick", 5, "--from", "old.csv", "-o", "fill.csv")
    assert (code, "it has learned them already" in err) == (2, True)


@pytest.mark.parametrize(
    ("out", "message"),
    [("a.docx", "write to one of .xlsx"), ("no/a.csv", "does not exist: create it"),
     ("new.csv", "is the file to choose from")],
)  # fmt: skip
def test_a_target_that_cannot_be_written_is_refused_before_reading(run, out, message):
    pd.DataFrame({"text": ["快递丢了"]}).to_csv("new.csv", index=False)
    code, _, err = run("review", "pick", 5, "--from", "new.csv", "-o", out)
    assert (code, message in err) == (2, True)


def test_text_that_a_spreadsheet_would_run_goes_round_unchanged(desk, tmp_path):
    found = pick_tickets(desk, [Complaint(text="=快递丢了，三天没人管")], 1)
    write_table(found.assign(正确性质="物流"), tmp_path / "a.csv")
    assert "'=快递丢了" in (tmp_path / "a.csv").read_text("utf-8-sig")
    names = {"nature": {"物流": "logistics"}}
    row = read_corrections(tmp_path / "a.csv", names=names).frame.iloc[0]
    assert (row["text"], row["key"]) == ("=快递丢了，三天没人管", found["工单指纹"][0])
    (tmp_path / "t.csv").write_text("投诉内容,性质\n=快递丢了，三天没人管,price\n", "utf-8")
    assert ticket_key(load_tickets(tmp_path / "t.csv").frame["text"][0]) == row["key"]
