"""Answers that wait for a store that is down, and what is deleted wherever it lies."""

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from stored import AT, entry

from triage.schema import SHANGHAI, DataError
from triage.store import Event, Feedback, Spool, open_store
from triage.store.spool import AT_ONCE


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))


@pytest.fixture
def store(store_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    with open_store(serving=True) as found:
        yield found


@pytest.fixture
def spool(store, tmp_path):
    return Spool(tmp_path / "spool")


def test_what_waits_is_written_later_and_once(spool, store):
    spool.add([entry("a", degraded=["store"]), entry("b")])
    spool.add([entry("a", sentiment=0.2)])
    assert spool.pending() == 3
    assert (spool.drain(store), spool.drain(store)) == (3, 0)
    assert spool.pending() == 0
    found = store.latest(["a", "b"])
    assert {name: kept.revision for name, kept in found.items()} == {"a": 2, "b": 1}
    assert found["a"].answer["stored"] and found["a"].answer["degraded"] == []


def test_several_processes_see_what_waits(spool, store, tmp_path):
    spool.add([entry("a")])
    other = Spool(tmp_path / "spool")
    assert other.pending() == 1
    other.add([entry("b")])
    assert spool.pending() == 2
    assert spool.drain(store) == 2
    assert other.pending() == 0


def test_a_second_try_adds_nothing_and_nothing_old_wins(spool, store, monkeypatch):
    """The store fails after the first portion: what it has already comes again."""
    first = [entry("a")] + [entry(f"{n}") for n in range(AT_ONCE)]
    spool.add([*first, entry("a", sentiment=0.2)])
    keep, done = store.keep_sealed, []

    def fail_once(rows):
        done.append(len(rows))
        if len(done) == 2:
            raise DataError("down", code="store_down")
        return keep(rows)

    monkeypatch.setattr(store, "keep_sealed", fail_once)
    with pytest.raises(DataError, match="down"):
        spool.drain(store)
    store.keep([entry("a", sentiment=0.3)])
    assert spool.pending() == AT_ONCE + 2
    assert spool.drain(store) == AT_ONCE + 2
    assert store.latest(["a"])["a"].answer["sentiment"] == 0.3
    assert [one["revision"] for one in store.assessment("a")["revisions"]] == [1, 2]


def test_a_line_that_cant_be_kept_is_set_aside_and_named(spool, store, caplog):
    store.keep([entry("taken", "别的话")])
    spool.add([entry("a"), entry("taken")])
    file = next(spool.folder.glob("*.jsonl"))
    with file.open("ab") as torn:
        torn.write(b'\n{"id": "torn", "dig')
    spool.add([entry("b")])
    assert spool.drain(store) == 2
    bad = next(spool.folder.glob("*.bad"))
    assert bad.name in caplog.text
    assert [line[:13] for line in bad.read_text("utf-8").splitlines()] == [
        '{"id": "torn"', '{"id":"taken"',
    ]  # fmt: skip
    assert set(store.latest(["a", "b", "taken", "torn"])) == {"a", "b", "taken"}
    assert spool.pending() == 0


def test_what_waits_is_masked_hashed_and_for_this_user_only(spool, tmp_path):
    spool.add(
        [entry("a", "快递丢了", customer="客户编号9527", facts={"product": "机主13700001234"})]
    )
    files = [file for file in spool.folder.iterdir() if file.suffix in (".jsonl", ".json")]
    assert len(files) == 2
    for file in files:
        written = file.read_text("utf-8")
        assert "9527" not in written and "13700001234" not in written
        assert file.stat().st_mode & 0o077 == 0
    assert spool.folder.stat().st_mode & 0o077 == 0


def test_a_machine_that_never_reached_its_store_cant_hash(tmp_path):
    with pytest.raises(DataError, match="Start the service once with its store up") as caught:
        Spool(tmp_path / "spool").add([entry("a")])
    assert caught.value.code == "spool_unsealed"
    assert Spool(tmp_path / "spool").pending() == 0


def test_a_folder_that_cant_be_written_is_told(spool):
    for file in spool.folder.iterdir():
        file.rename(spool.folder.parent / file.name)
    spool.folder.rmdir()
    spool.folder.write_text("no folder")
    with pytest.raises(DataError, match="make room there|never|allow this user"):
        spool.add([entry("a")])


WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
from stored import entry
from triage.settings import load_settings
from triage.store import Spool, open_store
spool, name = Spool(load_settings().spool), sys.argv[2]
with open_store(serving=True) as store:
    for n in range(40):
        spool.add([entry(f"{name}-{n}-{k}") for k in range(5)])
        print(n, flush=True)
        if n % 4 == 0:
            spool.drain(store)
    print("done", flush=True)
"""


def work(name):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(Path(__file__).parent), name],
                            text=True, stdout=subprocess.PIPE)  # fmt: skip


def test_workers_that_add_drain_and_are_killed_lose_and_double_nothing(spool, store):
    with work("a") as one, work("b") as two, work("c") as three:
        told = {"a": [one.stdout.readline() for _ in range(14)]}
        one.send_signal(signal.SIGKILL)
        told["a"] += one.stdout.readlines()
        told |= {"b": two.stdout.readlines(), "c": three.stdout.readlines()}
    assert told["b"][-1] == told["c"][-1] == "done\n"
    spool.drain(store)
    added = {f"{name}-{int(line)}-{k}" for name, lines in told.items()
             for line in lines if line != "done\n" for k in range(5)}  # fmt: skip
    assert set(store.latest(added)) == added
    counts = store.counts()
    assert counts["assessments"] == counts["revisions"] <= len(added) + 5
    assert spool.pending() == 0
    assert not list(spool.folder.glob("*.bad"))


def bytes_of(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    return b"".join(file.read_bytes() for file in files)


def test_an_erased_customer_is_gone_and_the_others_are_not(store, spool, tmp_path):
    store.keep([entry(name, words, customer=customer) for name, words, customer in (
        ("a", "甲的投诉原话", "c1"), ("b", "乙的投诉原话", "c2"),
        ("shared", "两人同样的话", "c1"), ("twin", "两人同样的话", "c2"),
    )])  # fmt: skip
    store.keep([entry("a", "甲的投诉原话", customer="c1", sentiment=0.9)])
    store.add_event("a", Event("resolved"))
    store.add_feedback([Feedback("", "grade", "severe", why="甲的更正理由", assessment="a")])
    store.add_feedback([Feedback(entry(text=words).key, "nature", "service", text=words)
                        for words in ("甲的投诉原话", "两人同样的话", "别人的话")])  # fmt: skip
    spool.add([entry("w", "甲在等的话", customer="c1"), entry("v", "乙在等的话", customer="c2")])
    assert store.erase_customer("c1", actor="王女士") == {
        "assessments": 2, "revisions": 3, "events": 1, "feedback": 2, "spooled": 1,
    }  # fmt: skip
    assert set(store.latest(["a", "b", "shared", "twin"])) == {"b", "twin"}
    assert store.feedback()["text"].tolist() == ["两人同样的话", "别人的话"]
    assert spool.drain(store) == 1
    line = store.audit()[0]
    assert (line["action"], line["actor"]) == ("erase", "*女士")
    assert '"assessments": 2' in line["detail"]
    assert "c1" not in line.values()
    if store.engine.name == "sqlite":
        left = bytes_of(tmp_path)
        assert "乙的投诉原话".encode() in left
        for words in ("甲的投诉原话", "甲的更正理由", "甲在等的话"):
            assert words.encode() not in left


def test_what_waited_on_another_machine_while_its_customer_was_erased_is_left_out(store, tmp_path):
    elsewhere = Spool(tmp_path / "elsewhere")
    elsewhere.prepare(store.seal)
    elsewhere.add([entry("before", customer="c1"), entry("other", customer="c2")])
    store.erase_customer("c1")
    elsewhere.add([entry("after", customer="c1")])
    elsewhere.drain(store)
    assert set(store.latest(["before", "after", "other"])) == {"after", "other"}
    assert not list(elsewhere.folder.glob("*.bad"))


def test_what_is_too_old_goes_with_all_that_hangs_on_it(store, spool, monkeypatch):
    monkeypatch.setattr("triage.store.removal.PORTION", 2)
    old, new = AT - timedelta(days=1_000), AT
    store.keep([entry(f"old{n}", received_at=old) for n in range(5)] + [entry("new")])
    store.add_event("old1", Event("responded", new))
    store.add_feedback([Feedback("", "grade", "severe", assessment=name)
                        for name in ("old1", "new")])  # fmt: skip
    store.add_feedback([Feedback(f"{n}" * 14, "nature", "service", text=f"导入{n}", at=at)
                        for n, at in enumerate((old, new))])  # fmt: skip
    (spool.folder / "x.bad").write_text("{}")
    os.utime(spool.folder / "x.bad", (0, 0))
    cutoff = AT - timedelta(days=999)
    expected = {"assessments": 5, "revisions": 5, "events": 1, "feedback": 2}
    assert store.purge(cutoff, actor="甲") == expected
    assert set(store.purge(cutoff).values()) == {0}
    assert store.latest(["old1", "new"]).keys() == {"new"}
    assert store.feedback()["text"].tolist() == ["导入1"]
    assert {line["action"] for line in store.audit()} == {"purge"}
    assert not (spool.folder / "x.bad").exists()


def test_a_purge_of_nothing_leaves_no_line(store):
    store.keep([entry("a", received_at=datetime.now(SHANGHAI))])
    store.purge(AT - timedelta(days=1))
    assert store.audit() == []
