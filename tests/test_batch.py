import pandas as pd
import pytest

from triage.batch import score_file
from triage.schema import SEVERITIES, UsageError

ROWS = pd.DataFrame(
    {
        "工单编号": ["1", "2", "3", "4"],
        "投诉内容": ["快递丢了，电话13800001234", "", "客服骂人，我要打12315", "太贵"],
        "涉及金额": ["300", "", "很多", "9000"],
        "性质": ["旧", "旧", "旧", "旧"],
    }
)


def write(frame, path):
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


def read(path):
    if path.suffix == ".xlsx":
        return pd.read_excel(path, dtype=object, engine="calamine")
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=object)


@pytest.mark.parametrize("source", ["a.csv", "a.xlsx", "a.parquet"])
@pytest.mark.parametrize("target", ["b.csv", "b.xlsx", "b.parquet"])
def test_every_kind_of_file_goes_in_and_out(desk, tmp_path, source, target):
    seen = []
    done = score_file(
        desk, write(ROWS, tmp_path / source), tmp_path / target,
        on_start=lambda total: seen.append(-total), on_step=seen.append,
    )  # fmt: skip
    assert (done.rows, done.errors) == (4, 1)
    assert sum(seen) == 0
    table = read(tmp_path / target)
    assert table["性质"].tolist() == ["旧"] * 4
    assert set(table["triage_grade"].dropna()) <= set(SEVERITIES)
    assert table["triage_grade"].isna().tolist() == [False, True, False, False]
    assert table["triage_error"][1].startswith("text_empty")
    assert "「很多」不是金额" in table["triage_note"][2]
    assert table["triage_error"].isna().tolist() == [True, False, True, True]
    assert table["triage_grade"][3] == "critical"
    assert "13800001234" not in table.to_csv()


def test_a_nature_without_a_route_goes_to_the_default_and_says_so(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(desk.policy, "file", desk.policy.file.model_copy(update={"routes": {}}))
    done = score_file(desk, write(ROWS, tmp_path / "a.csv"), tmp_path / "b.csv")
    table = read(tmp_path / "b.csv")
    assert done.default_routed == 3
    assert set(table["triage_degraded"].dropna()) == {"route.default"}
    assert set(table["triage_team"].dropna()) == {"general"}


def test_a_row_of_another_width_keeps_its_error_beside_it(desk, tmp_path):
    (tmp_path / "a.csv").write_text("投诉内容,渠道\n坏了,app\n太贵,web,多,出\n", "utf-8")
    score_file(desk, tmp_path / "a.csv", tmp_path / "b.csv")
    assert read(tmp_path / "b.csv")["triage_error"][1] == "row_malformed: 有 4 列，表头只有 2 列"


@pytest.mark.parametrize(
    ("target", "message"),
    [("b.docx", r"write to one of \.csv, \.xlsx, \.parquet"), ("a.csv", "is the file to be scored"),
     ("no/b.csv", "does not exist: create it")],
)  # fmt: skip
def test_a_target_that_cannot_be_written_is_refused_first(desk, tmp_path, target, message):
    write(ROWS, tmp_path / "a.csv")
    with pytest.raises(UsageError, match=message):
        score_file(desk, tmp_path / "a.csv", tmp_path / target)


def test_a_file_without_texts_names_its_columns(desk, tmp_path):
    write(pd.DataFrame({"甲": ["x"], "乙": ["y"]}), tmp_path / "a.csv")
    with pytest.raises(UsageError, match="it has 甲, 乙. Name it: --map 列名=text"):
        score_file(desk, tmp_path / "a.csv", tmp_path / "b.csv")
    done = score_file(desk, tmp_path / "a.csv", tmp_path / "b.csv", mapping={"甲": "text"})
    assert done.errors == 0


def test_what_excel_cannot_hold_or_would_run_is_made_safe(desk, tmp_path):
    rows = pd.DataFrame(
        {"投诉内容": ["=1+1太贵了", "坏了\x0b了", "长" * 40_000], "联系电话": [13800001234] * 3}
    )
    write(rows, tmp_path / "a.parquet")
    for target in ("b.xlsx", "b.csv"):
        assert score_file(desk, tmp_path / "a.parquet", tmp_path / target).errors == 0
        table = read(tmp_path / target)
        assert table["投诉内容"][0] == "'=1+1太贵了"
        assert set(table["联系电话"]) == {"*" * 11}
    assert "只保留前" in read(tmp_path / "b.xlsx")["triage_note"][2]
    assert not list(tmp_path.glob(".*draft*"))
