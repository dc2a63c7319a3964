"""The tables: made by migrations, from nothing and from every version before."""

import re
import sqlite3
import subprocess
import sys
from datetime import datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, exc, text
from stored import entry
from typer.testing import CliRunner

from triage.cli.store import store as store_app
from triage.schema import SHANGHAI, DataError
from triage.store import SCHEMA_VERSION, Event, Feedback, open_store
from triage.store.migrating import _MIGRATIONS
from triage.store.tables import Base

VERSION_1 = """
CREATE TABLE schema_version (
    version INTEGER NOT NULL, at DATETIME NOT NULL,
    CONSTRAINT pk_schema_version PRIMARY KEY (version)
);
CREATE TABLE feedback (
    id INTEGER NOT NULL, at DATETIME NOT NULL, key VARCHAR(14) NOT NULL, text TEXT NOT NULL,
    head VARCHAR(16) NOT NULL, label VARCHAR(200) NOT NULL, was VARCHAR(200), by VARCHAR(200),
    why TEXT, source VARCHAR(400) NOT NULL,
    CONSTRAINT pk_feedback PRIMARY KEY (id)
);
CREATE INDEX ix_feedback_at ON feedback (at);
CREATE INDEX ix_feedback_key_head ON feedback (key, head);
CREATE TRIGGER feedback_is_only_added_to BEFORE UPDATE ON feedback
BEGIN SELECT RAISE(ABORT, 'feedback is only ever added to'); END;
INSERT INTO schema_version VALUES (1, '2026-11-01 00:00:00.000000');
INSERT INTO feedback VALUES
    (7, '2026-11-02 03:04:05.000000', '0123456789abcd', '快递丢了', 'nature', '物流', 'service',
     '甲', NULL, 'a.xlsx'),
    (9, '2026-11-03 03:04:05.000000', '0123456789abcd', '快递丢了', 'severity', 'major', NULL, '乙',
     '看过', 'b.xlsx');
"""
"""A store as triage made it before Alembic."""


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))


@pytest.fixture
def version_1(store_url, monkeypatch):
    """The URL of a store of version 1."""
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    engine = create_engine(store_url)
    script = VERSION_1
    if engine.name == "postgresql":
        script = re.sub(r"CREATE TRIGGER.*?END;", "", script, flags=re.S)
        script = script.replace("DATETIME", "TIMESTAMP")
        script = re.sub(r"\bid INTEGER NOT NULL", "id SERIAL NOT NULL", script)
        script += "SELECT setval('feedback_id_seq', 9);"
        with engine.begin() as connection:
            connection.execute(text(script))
    else:
        held = sqlite3.connect(engine.url.database)
        held.executescript(script)
        held.close()
    engine.dispose()
    return store_url


def test_the_migrations_make_the_tables_that_the_code_declares(store_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    with open_store() as store, store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_store_of_version_1_is_brought_up_to_date_without_loss(version_1):
    with open_store() as store:
        assert store.found_version == 1
        log = store.feedback()
        assert log["id"].tolist() == [7, 9]
        assert log["at"].tolist()[0] == datetime(2026, 11, 2, 11, 4, 5, tzinfo=SHANGHAI)
        assert log.drop(columns=["id", "at", "assessment"]).to_dict("records")[1] == {
            "key": "0123456789abcd", "text": "快递丢了", "head": "severity", "label": "major",
            "was": None, "by": "乙", "why": "看过", "source": "b.xlsx",
        }  # fmt: skip
        store.keep([entry("a")])
        store.add_event("a", Event("resolved"))
        assert store.add_feedback([Feedback("", "grade", "severe", assessment="a")]) == 1
        with store.engine.connect() as connection:
            with pytest.raises(exc.IntegrityError, match="feedback is only ever added to"):
                connection.execute(text("UPDATE feedback SET label = 'x'"))
            connection.rollback()
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
    with open_store() as store:
        assert store.found_version == SCHEMA_VERSION


OPENER = """
from triage.store import open_store
with open_store() as store:
    print(store.seal.salt)
"""


@pytest.mark.parametrize("begun", ["nothing", "version 1"])
def test_processes_that_open_a_store_at_once_upgrade_it_once(
    request, store_url, monkeypatch, begun
):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    if begun == "version 1":
        request.getfixturevalue("version_1")
    running = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    salts = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(salts) == 1
    with open_store() as store, store.engine.connect() as connection:
        versions = connection.execute(text("SELECT version FROM schema_version ORDER BY version"))
        assert [version for (version,) in versions] == [1, 2]
        assert len(store.feedback()) == (2 if begun == "version 1" else 0)


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(version_1, monkeypatch):
    def fail(table, *actions):
        raise RuntimeError("power cut")

    monkeypatch.setattr("triage.store.migrations.steps.refuse", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        open_store()
    monkeypatch.undo()
    monkeypatch.setenv("TRIAGE_STORE", version_1)
    with open_store() as store:
        assert (store.found_version, len(store.feedback())) == (1, 2)


def test_a_store_of_a_later_triage_is_refused(store_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    with open_store() as store, store.engine.begin() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (99, '2027-01-01 00:00:00')"))
    with pytest.raises(DataError, match="install the triage that wrote it") as caught:
        open_store()
    assert caught.value.code == "store_newer"


def test_the_versions_are_in_one_line_up_to_the_codes():
    script = ScriptDirectory(str(_MIGRATIONS))
    assert script.get_heads() == [f"{SCHEMA_VERSION:04}"]
    assert [step.revision for step in script.walk_revisions()] == ["0002", "0001"]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run `triage store …` on a store of its own; the output with blanks folded."""
    monkeypatch.setenv("TRIAGE_STORE", f"sqlite:///{tmp_path / 'a.db'}")

    def call(*words, answer=None, code=0):
        result = CliRunner().invoke(store_app, words, input=answer)
        assert result.exit_code == code, result.output
        return re.sub(r"[\s│]+", " ", result.output)

    return call


def test_the_commands_say_in_chinese_what_they_did(command):
    assert "表结构：新建 → 2" in command("migrate")
    assert "表结构已是版本 2，无须升级" in command("migrate")
    with open_store(serving=True) as store:
        store.keep([entry("a", customer="c1"), entry("b", customer="c2")])
        store.spool.add([entry("c")])
    assert "研判 2 条" in command("status")
    assert "暂存待写入 1 条" in command("status")
    assert "已写入 1 条，还有 0 条暂存" in command("drain")
    assert "已删除更正 0 条，事件 0 条，修订 1 条，研判 1 条，暂存 0 条" in command(
        "erase", "c1", "-y"
    )
    assert "以前的更正 0 条，事件 0 条，修订 0 条，研判 0 条" in command(
        "purge", "--days", "9999", "-y"
    )
    assert "删除客户数据 命令行" in command("status")


@pytest.mark.parametrize("words", [("erase", "c1"), ("purge",)])
def test_what_deletes_asks_first(command, words):
    with open_store() as store:
        store.keep([entry("a", customer="c1")])
    assert "无法恢复" in command(*words, answer="n\n", code=1)
    assert "研判 1 条" in command("status")
