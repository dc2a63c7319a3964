import re
import subprocess
import sys
from datetime import datetime, timedelta
from time import monotonic

import openpyxl
import pandas as pd
import pytest
from sqlalchemy import exc, text
from typer.testing import CliRunner

from triage.batch import write_table
from triage.cli.feedback import feedback as feedback_app
from triage.cli.feedback import known_labels
from triage.data import CORRECTION_COLUMNS, join_corrections, load_tickets, ticket_key
from triage.policy import load_policy
from triage.registry import ModelFolder
from triage.schema import SHANGHAI, ConfigError, DataError, TriageError
from triage.settings import load_settings
from triage.store import BUSY_MS, SCHEMA_VERSION, Feedback, open_store, stored_corrections
from triage.store.connection import writing

KEY = ticket_key("快递丢了")


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))


@pytest.fixture
def store(store_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    with open_store() as found:
        yield found


@pytest.fixture
def file_store(tmp_path, monkeypatch):
    """A store in a SQLite file, for tests that look into it."""
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{tmp_path / 'a.db'}")
    with open_store() as found:
        yield found


def bytes_of(folder):
    """All that stands in the files of a SQLite store and of its spool."""
    files = [*folder.glob("a.db*"), *folder.glob("spool/*")]
    return b"".join(file.read_bytes() for file in files)


@pytest.fixture
def triage(tmp_path, monkeypatch):
    """Run `triage feedback …` in a home without a model; the output with blanks folded."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def call(*words):
        result = CliRunner().invoke(feedback_app, [str(word) for word in words])
        if isinstance(result.exception, TriageError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return re.sub(r"[\s│]+", " ", result.output)

    return call


def said(label="logistics", by="甲", head="nature", source="a.xlsx", key=KEY, **more):
    return Feedback(key=key, head=head, label=label, by=by, source=source, **more)


def test_the_same_correction_from_the_same_file_again_adds_nothing(store):
    assert store.add_feedback([said(), said(head="severity", label="major")]) == 2
    assert store.add_feedback([said(), said(head="severity", label="major")]) == 0
    assert store.add_feedback([said(source="b.xlsx"), said(by="乙")]) == 2
    assert store.feedback()["source"].tolist() == ["a.xlsx", "a.xlsx", "b.xlsx", "a.xlsx"]


def test_a_person_may_change_their_mind_and_change_it_back(store):
    for label in ("logistics", "service", "logistics"):
        assert store.add_feedback([said(label)]) == 1
    assert store.feedback()["label"].tolist() == ["logistics", "service", "logistics"]
    latest = store.corrections()
    assert latest["label"].tolist() == ["logistics"]
    assert latest["conflict"].tolist() == [False]


def test_what_is_taken_back_in_the_same_table_is_not_kept(store):
    twice = [said("product"), said("service")]
    assert store.add_feedback(twice) == 1
    assert store.add_feedback(twice) == 0
    assert store.feedback()["label"].tolist() == ["service"]


def test_the_newest_wins_and_another_persons_word_is_shown(store):
    store.add_feedback([said("product", by="甲"), said("service", by="乙")])
    row = store.corrections().iloc[0]
    assert (row["label"], row["by"], row["conflict"]) == ("service", "乙", True)
    assert [label for _, label in row["others"]] == ["product"]


def test_only_masked_text_reaches_the_file(file_store, tmp_path):
    file_store.add_feedback([
        said(text="打13800001234", why="客户邮箱 a.b@example.com", source="13800001234.xlsx",
             by="王女士")
    ])  # fmt: skip
    written = bytes_of(tmp_path)
    assert "打***********".encode() in written
    for personal in ("13800001234", "a.b@example.com", "王女士"):
        assert personal.encode() not in written


def test_times_are_kept_and_come_back_in_shanghai(store):
    at = datetime(2026, 11, 22, 23, 30, tzinfo=SHANGHAI)
    before = datetime.now(SHANGHAI)
    store.add_feedback([said(at=at), said(by="乙", at=at.replace(tzinfo=None)), said(by="丙")])
    first, second, third = store.feedback()["at"]
    assert first == second == at
    assert first.utcoffset() == timedelta(hours=8)
    assert before <= third <= datetime.now(SHANGHAI)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (said("huge", head="severity"), "severity is 'huge': it must be one of minor, major"),
        (said(head="colour"), "has head 'colour' and label 'logistics'"),
        (said(label=""), "it needs a key, a label and one of nature"),
        (said(key=""), "it needs a key, a label and one of nature"),
    ],
    ids=["step", "head", "label", "key"],
)
def test_feedback_that_is_none_is_refused_and_nothing_of_its_batch_is_kept(store, item, message):
    with pytest.raises(DataError, match=message):
        store.add_feedback([said(), item])
    assert store.feedback().empty


def test_an_empty_store_gives_empty_tables(store):
    assert store.feedback().empty
    assert {"key", "head", "label", "conflict", "others"} <= set(store.corrections())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE feedback SET label = 'x'",
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "REPLACE INTO audit_log VALUES (1, '2026-01-01', 'x', 'x', 'x', 'x')",
        "TRUNCATE audit_log",
    ],
)
def test_rows_are_only_ever_added(store, change):
    if change.startswith({"sqlite": "TRUNCATE", "postgresql": "REPLACE"}[store.engine.name]):
        pytest.skip("the database has no such command")
    store.add_feedback([said()])
    store.log("promote", "甲")
    with store.engine.connect() as connection:
        with pytest.raises(exc.IntegrityError, match="is only ever added to"):
            connection.execute(text(change))
    assert store.feedback()["label"].tolist() == ["logistics"]
    assert [line["actor"] for line in store.audit()] == ["甲"]


@pytest.mark.parametrize(("sync", "level"), [("normal", 1), ("full", 2)])
def test_the_file_survives_crashes_and_waits_for_others(tmp_path, monkeypatch, sync, level):
    monkeypatch.setenv("TRIAGE_STORE_SYNC", sync)
    asked = {"journal_mode": "wal", "synchronous": level, "busy_timeout": BUSY_MS,
             "foreign_keys": 1, "secure_delete": 1}  # fmt: skip
    with open_store() as store, store.engine.connect() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in asked}
        version = connection.execute(text("SELECT max(version) FROM schema_version")).scalar()
    assert found == asked
    assert version == SCHEMA_VERSION


WRITER = """
import sys
from triage.data import ticket_key
from triage.store import Feedback, open_store
name = sys.argv[1]
for batch in range(20):
    with open_store() as store:
        items = [Feedback(ticket_key(words), "nature", "物流", text=words, by=name, source="a.xlsx")
                 for words in (f"第{batch}批第{n}号工单" for n in range(20))]
        assert store.add_feedback(items) == 20
"""


def test_two_processes_that_write_at_once_lose_nothing(store_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], stderr=subprocess.PIPE)
        for name in ("甲", "乙")
    ]
    told = [process.communicate(timeout=120)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    with open_store() as store:
        log = store.feedback()
    assert log.groupby("by").size().to_dict() == {"甲": 400, "乙": 400}
    assert log["id"].is_unique


def test_the_store_lies_in_the_home_folder_unless_it_is_named(empty_home, monkeypatch):
    open_store().close()
    assert (empty_home / "triage.db").is_file()
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{empty_home / 'other.db'}")
    open_store().close()
    assert (empty_home / "other.db").is_file()
    assert "other.db" not in repr(load_settings())


def test_to_ask_for_corrections_makes_no_file(empty_home):
    assert stored_corrections().empty
    assert not (empty_home / "triage.db").exists()
    with open_store() as store:
        store.add_feedback([said()])
    assert stored_corrections()["label"].tolist() == ["logistics"]


@pytest.mark.parametrize("url", ["triage.db", "nosuch://host/db", "sqlite+nosuch:///a.db"])
def test_a_url_that_is_none_is_refused(url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", url)
    with pytest.raises(ConfigError, match="write one such as sqlite:////var/lib"):
        open_store()


def test_faults_of_the_file_are_said_in_words(tmp_path, monkeypatch):
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(DataError, match="it is no SQLite database: restore it") as caught:
        open_store()
    assert caught.value.code == "store_corrupt"
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{tmp_path / 'no' / 'a.db'}")
    with pytest.raises(DataError, match="check that its folder exists"):
        open_store()


def test_a_store_of_a_later_triage_is_refused(store):
    with store.engine.begin() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (99, '2027-01-01 00:00:00')"))
    with pytest.raises(DataError, match=f"version 99, this triage knows {SCHEMA_VERSION}"):
        open_store()


def test_a_service_that_waits_too_long_for_a_writer_is_told_so(store):
    with open_store(serving=True) as other, writing(store.engine) as connection:
        if store.engine.name == "postgresql":
            connection.execute(text("LOCK TABLE feedback"))
        begun = monotonic()
        with pytest.raises(DataError, match="writing to it for too long: try again") as caught:
            other.add_feedback([said()])
    assert caught.value.code == "store_busy"
    assert monotonic() - begun < 4


def fill(path, cells):
    """Write cells into an Excel file, by heading and row."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    place = {cell.value: cell.column for cell in sheet[1]}
    for (heading, row), value in cells.items():
        sheet.cell(row, place[heading]).value = value
    book.save(path)


def to_fill(path, tickets):
    """Write a corrections table of tickets."""
    table = pd.DataFrame(index=tickets.index, columns=list(CORRECTION_COLUMNS), dtype=object)
    table["key"] = tickets["text"].map(ticket_key)
    table["text"], table["nature"] = tickets["text"], tickets["nature"]
    write_table(table.rename(columns=CORRECTION_COLUMNS), path)


@pytest.fixture
def tickets(tmp_path):
    pd.DataFrame({
        "投诉内容": ["快递三天没到", "客服骂人，我电话13800001234", "=太贵了", "冰箱坏了"],
        "性质": ["product", "product", "product", "product"],
    }).to_csv(tmp_path / "t.csv", index=False)  # fmt: skip
    return load_tickets(tmp_path / "t.csv")


def test_a_filled_table_is_imported_listed_and_joins_the_training_labels(triage, tickets, tmp_path):
    to_fill(tmp_path / "a.xlsx", tickets.frame)
    fill(tmp_path / "a.xlsx", {("正确性质", 2): "物流", ("正确性质", 3): "服务质量",
                               ("正确性质", 4): "收费", ("正确严重程度", 5): "很重"})  # fmt: skip
    out = triage("import", "a.xlsx", "--by", "张三")
    assert "读到 3 处更正，涉及 3 张工单；新增 3 处，重复 0 处，拒收 1 处" in out
    assert "性质 产品质量 物流 1" in out
    assert "「收费」是模型和策略都没有的新性质（1 处）" in out
    assert "第 5 行 正确严重程度「很重」：不认识；可用 一般（minor）" in out
    assert "python train.py --data" in out
    refused = pd.read_csv(tmp_path / "a.corrections.quarantine.csv")
    assert refused["原因"][0].startswith("不认识")
    assert "新增 0 处，重复 3 处" in triage("import", "a.xlsx", "--by", "张三")
    assert "更正 3 处，现行 3 处，意见不一 0 处" in triage("list")
    with open_store() as store:
        joined = join_corrections(tickets, store.corrections())
    assert joined.frame["nature"].tolist() == ["logistics", "service", "收费", "product"]
    assert joined.frame["source"].tolist() == ["feedback"] * 3 + ["file"]


def test_two_people_who_disagree_are_both_shown(triage, tickets, tmp_path):
    to_fill(tmp_path / "a.xlsx", tickets.frame)
    fill(tmp_path / "a.xlsx", {("正确性质", 2): "物流"})
    triage("import", "a.xlsx", "--by", "张三")
    fill(tmp_path / "a.xlsx", {("正确性质", 2): "服务质量"})
    out = triage("import", "a.xlsx", "--by", "李四")
    assert "意见不一 1 处，取最新的" in out
    assert re.search(r"快递三天没到 性质 服务质量 李四 .*张三 .*：物流", out)


def test_an_export_can_be_imported_elsewhere(triage, tickets, tmp_path, monkeypatch):
    to_fill(tmp_path / "a.csv", tickets.frame)
    table = pd.read_csv(tmp_path / "a.csv", dtype=object)
    table["正确性质"] = ["物流", "√", "价格", None]
    table["更正人"] = ["甲", "乙", None, None]
    table.to_csv(tmp_path / "a.csv", index=False)
    triage("import", "a.csv")
    assert "3 处更正 → all.xlsx" in triage("export", "-o", "all.xlsx")
    with open_store() as store:
        before = store.feedback()
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{tmp_path / 'second.db'}")
    triage("import", "all.xlsx")
    with open_store() as store:
        after = store.feedback()
    kept = ["key", "text", "head", "label", "was", "by", "source"]
    assert after[kept].to_dict("records") == before[kept].to_dict("records")
    assert after["text"].tolist()[1:] == ["客服骂人，我电话***********", "=太贵了"]
    assert "13800001234" not in pd.read_excel(tmp_path / "all.xlsx", engine="calamine").to_csv()


def test_an_export_of_nothing_is_refused(triage):
    with pytest.raises(TriageError, match="The store holds no feedback yet"):
        triage("export", "-o", "all.xlsx")


def test_labels_are_known_by_the_companys_own_words(triage, tickets, tmp_path):
    to_fill(tmp_path / "a.xlsx", tickets.frame)
    fill(tmp_path / "a.xlsx", {("正确性质", 2): "服务态度", ("正确严重程度", 3): "紧急"})
    (tmp_path / "t.mapping.yaml").write_text(
        "labels:\n  nature: {服务态度: service, 作废: ignore}\n  severity: {紧急: 重大}\n", "utf-8"
    )
    assert "新增 2 处，重复 0 处，拒收 0 处" in triage("import", "a.xlsx")
    with open_store() as store:
        assert store.feedback()["label"].tolist() == ["service", "critical"]


def test_the_promoted_models_labels_go_before_the_policys_names(home, monkeypatch):
    policy = load_policy("default")
    assert known_labels(policy)["nature"]["物流"] == "logistics"
    labels = {"nature": ["物流", "退换"], "severity": [], "emotion": []}
    found = ModelFolder(home, {"labels": labels})
    monkeypatch.setattr("triage.registry.Registry.folder", lambda registry: found)
    known = known_labels(policy)
    assert (known["nature"]["物流"], known["nature"]["退换"]) == ("物流", "退换")
    assert known["emotion"]["激烈"] == "furious"
