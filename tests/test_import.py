"""The first look at an export, and the command that shows it."""

import json
import re
import sqlite3
import sys

import pytest
import typer

from triage.cli.imports import import_file
from triage.cli.terminal import run_command
from triage.data import look_at, next_command, todo

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


def test_a_first_look_finds_what_is_wrong(look):
    found = look.to_dict()
    assert (found["rows"], found["usable"], found["refused"]) == (6, 0, 6)
    assert found["labels"]["severity"]["unknown"] == [
        {"value": "紧急", "rows": 2, "label": None, "known": False},
        {"value": "不知道", "rows": 1, "label": None, "known": False},
    ]
    assert found["labels"]["severity"]["lost"] == 3
    assert found["duplicates"]["rows"] == 2
    assert found["conflicts"]["texts"] == {"nature": 1}
    assert found["dates"] == {"first": "2025-01-02", "last": "2025-02-02", "undated": 2,
                              "months": {"2025-01": 2, "2025-02": 2}}  # fmt: skip
    assert found["personal"] == {"kinds": {"mobile": 2}, "headings": ["联系电话"]}
    assert found["lengths"]["max"] == 23


def test_a_first_look_shows_no_personal_data(look):
    assert "13800001234" in look.source.raw["投诉描述"][4]
    assert "13800001234" not in json.dumps(look.to_dict(), ensure_ascii=False)


def test_near_duplicates_are_counted_by_group(tmp_path):
    long = "快递员把冰箱从车上直接扔下来，门都变形了，客服说要等七天才能答复"
    texts = [long, long + "，太气人", long + "！！", "暖气不热，打了三次电话没人来"]
    written(tmp_path / "a.csv", "\n".join(["投诉内容", *texts]))
    look = look_at(tmp_path / "a.csv")
    assert [one.texts for one in look.near] == [3]
    assert look.near_texts == 3


def test_what_to_do_is_said_until_nothing_is_left(look, export, tmp_path):
    assert [task.split("：")[0] for task in todo(look)] == [
        "没有一行可以用来训练，原因见「坏行」",
        "严重程度有没看懂的标签，3 行暂时不能学",
        "情绪有没看懂的标签，2 行暂时不能学",
    ]
    assert next_command(look) == f"triage import {export}"
    rows = [f"第{i}个箱子{w},{w}" for i in range(4) for w in ("破了", "丢了")]
    written(tmp_path / "b.csv", "\n".join(["投诉内容,投诉类型", *rows]))
    clean = look_at(tmp_path / "b.csv")
    assert todo(clean) == []
    assert next_command(clean) == f"python train.py --data {tmp_path / 'b.csv'}"


def test_a_file_without_labels_is_said_to_have_nothing_to_learn(tmp_path):
    look = look_at(written(tmp_path / "a.csv", "投诉内容\n坏了\n慢\n"))
    assert "没有认出任何标签列" in todo(look)[0]


def test_progress_counts_every_row_of_every_stage(export):
    stages, steps = [], []
    look_at(export, mapping=MAPPING, on_step=steps.append,
            on_stage=lambda name, total: stages.append((name, total)))  # fmt: skip
    assert [name for name, _ in stages] == ["读取", "逐行检查", "找个人信息", "找近似重复", "汇总"]
    assert sum(steps) == sum(total or 0 for _, total in stages)


# ---- the command


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run `triage import …` in a folder of its own; return exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*words):
        app = typer.Typer()
        app.command()(import_file)
        monkeypatch.setattr(sys, "argv", ["import", *map(str, words)])
        try:
            run_command(app)
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, re.sub(r"\s+", " ", out), re.sub(r"\s+", " ", err)

    return call


def test_import_shows_the_look_and_writes_mapping_and_quarantine(run, export, tmp_path):
    code, out, _ = run(export, "--map", "归口=nature")
    assert code == 0
    for words in (
        "读到 6 行", "投诉描述 │ 投诉内容", "没看懂", "手机号 2 行", "联系电话 像是个人信息",
        "同一内容、标签不同：性质 1 条", "内容为空", "去年.mapping.yaml（新写的，可以改）",
        "需要处理：严重程度有没看懂的标签",
    ):  # fmt: skip
        assert words in out
    assert "13800001234" not in out
    for name in ("去年.quarantine.csv", "去年.look.html"):
        assert "13800001234" not in (tmp_path / name).read_text("utf-8-sig")


def test_import_again_uses_the_corrected_mapping_file(run, export, tmp_path):
    run(export, "--map", "归口=nature")
    place = tmp_path / "去年.mapping.yaml"
    text = place.read_text("utf-8").replace("紧急: null", "紧急: 重大")
    written(
        place, text.replace("不知道: null", "不知道: ignore").replace("待定: null", "待定: ignore")
    )
    code, out, _ = run(export)
    assert code == 0
    assert "去年.mapping.yaml（沿用）" in out
    assert "没看懂" not in out and "归口 │ 性质" in out


def test_the_next_command_keeps_what_the_mapping_file_does_not_hold(run, export, tmp_path):
    out = run(export, "--map", "归口=nature")[1]
    assert out.endswith(f"再看一遍：triage import {export} ")
    written(tmp_path / "我的.yaml", "columns: {nature: 归口}")
    out = run(export, "--mapping", "我的.yaml", "--map", "归口=product")[1]
    assert out.endswith(f"triage import {export} --mapping 我的.yaml --map 归口=product ")


def test_import_names_values_that_a_standing_mapping_file_lacks(run, export, tmp_path):
    written(tmp_path / "去年.mapping.yaml", "labels: {severity: {紧急: critical}}")
    assert "请添在 labels 的 severity 下面： 不知道: null" in run(export)[1]


def test_import_reads_a_database_and_shows_no_password(run, tmp_path):
    with sqlite3.connect(tmp_path / "crm.db") as made:
        made.execute("create table 工单 as select '坏了' 投诉内容, '质量' 投诉类型")
    made.close()
    code, out, _ = run(f"sqlite:///{tmp_path}/crm.db", "--query", "工单")
    assert code == 0
    assert "（数据库查询）：读到 1 行" in out
    assert (tmp_path / "工单.mapping.yaml").is_file()
    code, _, err = run("postgresql+nope://crm:geheim@h/d", "--query", "t")
    assert (code, "geheim" in err) == (2, False)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.csv"], 2, "does not exist: check the path"),
        (["去年.csv", "--mapping", "nope.yaml"], 2, "nope.yaml does not exist: check --mapping"),
        (["去年.csv", "--query", "工单"], 2, "--query goes with a database's URL"),
        (["去年.csv", "--map", "没有=text"], 2, "has no column '没有'"),
    ],
)
def test_a_fault_is_one_message_with_its_exit_code(run, export, words, code, message):
    found, _, err = run(*words)
    assert found == code
    assert message in err
