"""The mapping file: written on the first import, corrected by hand, used from then on."""

import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.data import (
    find_mapping,
    load_tickets,
    look_at,
    read_mapping,
    source_stem,
    write_mapping,
)
from triage.data.draft import draft_mapping
from triage.data.labels import LabelValue, likely_label, read_label
from triage.data.source import Source
from triage.schema import ConfigError, DataError, UsageError

EXPORT = """投诉描述,归口,紧急程度,情绪,来电时间,联系电话
快递丢了三天没人管,服务态度,紧急,平静,2025-01-02,13800001234
快递丢了三天没人管,物流,紧急,平静,2025-01-03,
多扣了我三百块钱打我电话13800001234,收费,普通,待定,2025-02-02,
多扣了我三百块钱打我电话13800001234,收费,普通,待定,2025-02-02,
,收费,普通,,昨天,
衣服洗一次就破,质量,不知道,不满,,
"""
MAPPING = {"归口": "nature", "来电时间": "received_at"}


@pytest.fixture
def export(tmp_path):
    (tmp_path / "去年.csv").write_text(EXPORT, "utf-8")
    return tmp_path / "去年.csv"


@pytest.fixture
def look(export):
    return look_at(export, mapping=MAPPING)


def written(path, text):
    path.write_text(text, "utf-8")
    return path


def test_a_first_mapping_file_reads_back_as_what_was_understood(look, tmp_path):
    place = tmp_path / "去年.mapping.yaml"
    write_mapping(look.source, look.values, place)
    plan = read_mapping(place)
    assert plan.columns == {"text": "投诉描述", "nature": "归口", "severity": "紧急程度",
                            "emotion": "情绪", "received_at": "来电时间"}  # fmt: skip
    assert plan.labels["severity"] == {"紧急": None, "普通": "minor", "不知道": None}
    assert plan.labels["nature"] == {}


def test_unknown_values_and_likely_natures_are_remarked_upon(look):
    text = draft_mapping(look.source, look.values)
    assert "紧急: null  # 没看懂，2 行用到，可能是 critical" in text
    assert "# 服务态度: service  # 1 行" in text
    assert "# 没有用到的列：联系电话" in text


def test_a_standing_mapping_file_is_never_written_over(look, tmp_path):
    place = written(tmp_path / "去年.mapping.yaml", "columns: {text: 投诉描述}\n")
    write_mapping(look.source, look.values, place)
    assert place.read_text("utf-8") == "columns: {text: 投诉描述}\n"


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).map(str.strip)
VALUES = st.dictionaries(WORDS.filter(bool), st.sampled_from(["minor", None]), min_size=1)


@given(VALUES, WORDS)
def test_any_heading_and_label_value_survives_the_mapping_file(tmp_path_factory, values, heading):
    source = Source("x.csv", pd.DataFrame(), "sql", {"text": heading or "a"}, (), {}, [heading])
    listed = [LabelValue(value, 1, label, label is not None) for value, label in values.items()]
    place = tmp_path_factory.mktemp("mapping") / "x.mapping.yaml"
    write_mapping(source, {"severity": listed}, place)
    plan = read_mapping(place)
    assert plan.columns == {"text": heading or "a"}
    assert plan.labels["severity"].items() <= values.items()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("columns: {txt: 内容}", "columns: 'txt' is none of text, nature"),
        ("columns: {text: 内容, nature: 内容}", "内容 stands for two fields: keep one"),
        ("labels: {severity: {紧急: 很急}}", "severity.紧急 is '很急': it must be one of minor"),
        ("labels: {紧急: critical}", "Input should be a valid dictionary"),
        ("labels: {severity: {no: minor}}", "write it in quotes"),
        ("colums: {text: 内容}", "colums is .*Extra inputs are not permitted"),
        ("taxonomy: [一级分类]", "taxonomy has one level: write it as columns.nature"),
        ("taxonomy: [甲, 乙]\ncolumns: {nature: 丙}", "columns.nature and taxonomy both say"),
        ("columns:\n  text：内容\n", "line 2 has the wide colon"),
        ("labels: {severity: {紧急: minor, 紧急: major}}", "'紧急' stands here a second time"),
    ],
)
def test_a_wrong_mapping_file_is_refused_with_place_and_remedy(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message):
        read_mapping(written(tmp_path / "a.mapping.yaml", content))


def test_a_mapping_file_saved_in_gb18030_is_read(tmp_path):
    place = tmp_path / "a.mapping.yaml"
    place.write_bytes("labels:\n  severity:\n    紧急: 重大\n    3: minor\n".encode("gb18030"))
    assert read_mapping(place).labels == {"severity": {"紧急": "重大", "3": "minor"}}


def test_the_mapping_file_of_the_working_directory_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_mapping("data/去年.xlsx") is None
    written(tmp_path / "去年.mapping.yaml", "columns: {text: 甲}")
    assert find_mapping("data/去年.xlsx").columns == {"text": "甲"}


@pytest.mark.parametrize(
    ("source", "query", "stem"),
    [
        ("a/去年.csv.gz", None, "去年"),
        ("2025.上半年.XLSX", None, "2025.上半年"),
        ("postgresql://u:p@h/desk", "crm.工单", "crm.工单"),
        ("postgresql://u:p@h/desk?x=1", "select 1", "desk"),
    ],
)
def test_files_about_an_export_are_called_after_it(source, query, stem):
    assert source_stem(source, query) == stem


# ---- what a mapping file does


def test_the_mapping_file_names_columns_labels_and_natures(export, tmp_path):
    plan = read_mapping(written(tmp_path / "m.yaml", """
columns: {nature: 归口, emotion: null}
labels:
  severity: {紧急: critical, 不知道: ignore}
  nature: {服务态度: service}
"""))  # fmt: skip
    tickets = load_tickets(export, plan=plan)
    frame = tickets.frame.set_index("text")
    assert "emotion" not in frame
    assert frame.at["衣服洗一次就破", "severity"] is None
    assert frame.at["衣服洗一次就破", "nature"] == "质量"
    assert set(frame["severity"].dropna()) == {"critical", "minor"}
    assert "与另一行内容相同而标签不同" in tickets.quarantine["reason"].tolist()


def test_the_command_line_goes_before_the_mapping_file(export, tmp_path):
    content = "columns: {nature: 归口}\nlabels: {severity: {紧急: minor}}"
    plan = read_mapping(written(tmp_path / "m.yaml", content))
    tickets = load_tickets(
        export, plan=plan, mapping={"紧急程度": "nature"}, labels={"nature": {"紧急": "急"}}
    )
    assert tickets.columns["nature"] == "紧急程度"
    assert "急" in set(tickets.frame["nature"])


def test_an_empty_value_of_the_mapping_file_is_not_understood_yet(export, tmp_path):
    plan = read_mapping(written(tmp_path / "m.yaml", "labels: {severity: {普通: null}}"))
    with pytest.raises(DataError, match="no row can be used.*「紧急」不认识"):
        load_tickets(export, plan=plan)


def test_a_mapping_file_for_other_headings_is_refused(export, tmp_path):
    plan = read_mapping(written(tmp_path / "m.yaml", "columns: {nature: 部门}"))
    with pytest.raises(UsageError, match=r"mapping file's columns\.nature is '部门', but the data"):
        load_tickets(export, plan=plan)
    plan = read_mapping(written(tmp_path / "m.yaml", "taxonomy: [大类, 小类]"))
    with pytest.raises(UsageError, match="taxonomy names 大类, 小类, but the data has"):
        load_tickets(export, plan=plan)


def test_the_mapping_file_chooses_sheets_and_levels(tmp_path):
    book = openpyxl.Workbook()
    for name, text in (("甲", "坏了"), ("乙", "慢"), ("丙", "贵")):
        sheet = book.create_sheet(name)
        sheet.append(["投诉内容", "归口", "科室", "一级分类", "二级分类"])
        sheet.append([text, "归" + name, "科" + name, "x", "y"])
    book.save(tmp_path / "a.xlsx")
    plan = read_mapping(written(tmp_path / "m.yaml", "sheets: [甲, 丙]\ntaxonomy: [归口, 科室]"))
    look = look_at(tmp_path / "a.xlsx", plan=plan)
    assert [one.value for one in look.values["nature"]] == ["归甲/科甲", "归丙/科丙"]
    assert "没有读取工作表「乙」：没有指定要读" in look.tickets.notes
    plan = read_mapping(written(tmp_path / "m.yaml", "taxonomy: []\ncolumns: {nature: 归口}"))
    assert look_at(tmp_path / "a.xlsx", plan=plan).source.levels == ()


@pytest.mark.parametrize(
    ("head", "value", "own", "read"),
    [
        ("severity", "重大", {}, ("critical", True)),
        ("severity", "MINOR", {}, ("minor", True)),
        ("severity", "紧急", {"紧急": "特大"}, ("severe", True)),
        ("severity", "重大", {"重大": "minor"}, ("minor", True)),
        ("severity", "待定", {"待定": "ignore"}, (None, True)),
        ("severity", "待定", {}, (None, False)),
        ("nature", "测试", {"测试": "ignore"}, (None, True)),
        ("nature", "物流", {"物流": None}, ("物流", True)),
    ],
)
def test_a_label_value_is_read(head, value, own, read):
    assert read_label(head, value, own) == read


@pytest.mark.parametrize(
    ("value", "label"),
    [("服务态度", "service"), ("快递配送", "logistics"), ("质量问题", "product"),
     ("快递费", "price"), ("其它", "other"), ("咨询", None)],
)  # fmt: skip
def test_a_nature_that_looks_like_ours_is_suggested(value, label):
    assert likely_label("nature", value) == label
