"""Large files: scored in parts, on several cores, gone on with after a stop or a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from triage.batch import parts_folder, read_complaints, score_file
from triage.batch.write import check_target, join_parts, write_part
from triage.engine import Triage
from triage.schema import DataError, UsageError

SCRIPT = """
import sys
from pathlib import Path
from triage import Triage
from triage.batch import score_file

if __name__ == "__main__":
    source, target, workers = sys.argv[1:]
    score_file(Triage.load(), Path(source), Path(target), workers=int(workers), load=Triage.load,
               part_rows=100)
"""
ROWS = 3_000
KILLED_AT = (5, 15)


@pytest.fixture(scope="module")
def rows(corpus):
    texts = corpus["text"].sample(ROWS, replace=True, random_state=7)
    return pd.DataFrame({
        "工单编号": [f"{at:07}" for at in range(ROWS)], "投诉内容": texts.to_numpy(),
        "受理时间": "2026-03-02 10:00", "金额": [None if at % 3 else at for at in range(ROWS)],
    })  # fmt: skip


def start(tmp_path, source, target, workers):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT, "utf-8")
    return subprocess.Popen([sys.executable, script, source, target, str(workers)])


def n_parts(target):
    return len(list(parts_folder(target).glob("0*")))


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def read(path):
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(("kind", "workers"), [("csv", 1), ("parquet", 2)])
def test_a_run_killed_twice_has_each_row_once(desk, rows, tmp_path, kind, workers):
    source, target, whole = (tmp_path / f"{name}.{kind}" for name in ("in", "out", "whole"))
    rows.to_parquet(source) if kind == "parquet" else rows.to_csv(source, index=False)
    for parts in KILLED_AT:
        run = start(tmp_path, source, target, workers)
        wait_for(lambda parts=parts: n_parts(target) >= parts)
        beside = children(run.pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_for(lambda beside=beside: not any(map(is_alive, beside)), 10)
        assert not target.exists()
    kept = n_parts(target) * 100
    assert kept < ROWS
    assert start(tmp_path, source, target, workers).wait() == 0
    assert not parts_folder(target).exists()
    score_file(desk, source, whole, part_rows=100)
    answered = read(target)
    assert answered["工单编号"].tolist() == rows["工单编号"].tolist()
    assert answered.compare(read(whole)).empty
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["run.py", source.name, target.name, whole.name]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends the signal of Ctrl+C")
def test_ctrl_c_leaves_what_is_done_and_says_so(home, rows, tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pd.concat([rows] * 3, ignore_index=True).to_parquet(source)
    code = "from triage.cli import main; main()"
    command = [sys.executable, "-c", code, "score", source, "-o", target, "--workers", "2"]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **piped) as run:
        wait_for(lambda: n_parts(target) >= 1)
        os.killpg(run.pid, signal.SIGINT)
        _, told = run.communicate()
    assert run.returncode == 130
    assert "已停下" in told and "再次运行同一条命令会接着做" in told and "Traceback" not in told
    kept = sum(map(len, map(read, parts_folder(target).glob("0*"))))
    again = subprocess.run(command, check=True, **piped)
    assert f"接着上次没做完的：其中 {kept} 行上次已评" in again.stdout
    assert "9000 行，其中 0 行有误" in again.stdout
    assert len(read(target)) == 3 * ROWS


@pytest.mark.long
def test_memory_does_not_grow_with_the_file(home, corpus, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        SCRIPT + "    status = Path('/proc/self/status').read_text()\n"
        "    print(int(status.partition('VmHWM:')[2].split()[0]) // 1024)\n", "utf-8"
    )  # fmt: skip
    peaks = []
    for n_rows in (10_000, 50_000):
        texts = corpus["text"].sample(n_rows, replace=True, random_state=7)
        texts.to_frame().to_parquet(tmp_path / "in.parquet", index=False)
        command = [sys.executable, script, tmp_path / "in.parquet", tmp_path / "out.parquet", "1"]
        peaks.append(int(subprocess.run(command, capture_output=True, check=True).stdout))
    assert peaks[1] < 700, f"{peaks} MiB"
    assert peaks[1] < 1.25 * peaks[0], f"{peaks} MiB"


class Stop(Exception):
    """Stands for whatever ends a run."""


def stopped(desk, source, target, after, **options):
    """Score until so many rows are done, then stop."""
    seen = []

    def step(steps):
        seen.append(steps)
        if sum(seen) >= after:
            raise Stop

    with pytest.raises(Stop, match="^$"):
        score_file(desk, source, target, part_rows=100, on_step=step, **options)


@pytest.fixture
def source(rows, tmp_path):
    rows.head(450).drop(columns="受理时间").to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv"


def test_what_is_done_is_not_scored_again(desk, source, tmp_path, monkeypatch):
    target, scored, told = tmp_path / "out.csv", [], []
    stopped(desk, source, target, 250)
    assess = desk.assess_each
    monkeypatch.setattr(
        desk, "assess_each", lambda many, step: scored.extend(many) or assess(many, step)
    )
    done = score_file(desk, source, target, part_rows=100, on_step=told.append)
    assert (done.rows, done.resumed, len(scored)) == (450, 200, 250)
    assert (told[0], sum(told)) == (200, 450)
    again = score_file(desk, source, target, part_rows=100)
    assert again.resumed == 0


def test_rows_without_a_time_came_in_when_the_run_began(desk, source, tmp_path):
    target = tmp_path / "out.csv"
    stopped(desk, source, target, 250)
    told = parts_folder(target) / "run.json"
    began = json.loads(told.read_text("utf-8")) | {"started": "2024-05-06T09:00:00+08:00"}
    told.write_text(json.dumps(began), "utf-8")
    score_file(desk, source, target, part_rows=100)
    due = read(target)["triage_first_response_due"].str[:4]
    assert set(due[200:]) == {"2024"}
    assert "2024" not in set(due[:200])


@pytest.mark.parametrize("changed", ["input", "columns", "policy", "part_rows"])
def test_a_run_that_was_told_otherwise_is_not_gone_on_with(desk, source, tmp_path, changed):
    target, asked, options = tmp_path / "out.csv", desk, {"part_rows": 100}
    stopped(desk, source, target, 250)
    if changed == "input":
        source.write_text(source.read_text("utf-8") + "9,又坏了,\n", "utf-8")
    elif changed == "columns":
        options["mapping"] = {"金额": "repeat_count"}
    elif changed == "policy":
        asked = Triage.load(policy="bank")
    else:
        options["part_rows"] = 50
    with pytest.raises(UsageError, match=rf"unfinished run with another .*{changed}.*--restart"):
        score_file(asked, source, target, **options)
    assert score_file(asked, source, target, restart=True, **options).resumed == 0
    assert not parts_folder(target).exists()


def test_a_source_that_changes_while_it_is_scored_is_noticed(desk, source, tmp_path):
    text = source.read_text("utf-8")
    with pytest.raises(DataError, match="was changed while it was scored"):
        score_file(
            desk, source, tmp_path / "out.csv",
            on_start=lambda _: source.write_text(text + "9,又坏了,\n", "utf-8"),
        )  # fmt: skip
    assert not (tmp_path / "out.csv").exists()


def test_a_folder_of_somebody_else_is_left_alone(desk, source, tmp_path):
    folder = parts_folder(tmp_path / "out.csv")
    folder.mkdir()
    (folder / "信.txt").write_text("重要", "utf-8")
    with pytest.raises(UsageError, match="holds other things: move it away"):
        score_file(desk, source, tmp_path / "out.csv", restart=True)
    assert (folder / "信.txt").exists()


def test_a_run_killed_at_its_birth_is_begun_anew(desk, source, tmp_path):
    folder = parts_folder(tmp_path / "out.csv")
    folder.mkdir()
    (folder / ".run.json").write_text("{", "utf-8")
    assert score_file(desk, source, tmp_path / "out.csv").rows == 450


def test_a_lost_process_says_what_to_do(desk, source, tmp_path):
    with pytest.raises(DataError, match="memory may be used up.*fewer --workers"):
        score_file(desk, source, tmp_path / "out.csv", workers=2, load=_die, part_rows=50)
    assert score_file(desk, source, tmp_path / "out.csv", part_rows=50).rows == 450


def test_a_process_with_another_policy_is_refused(desk, source, tmp_path):
    load = partial(Triage.load, policy="bank")
    with pytest.raises(DataError, match=r"began with \S+ and default@.* now \S+ and bank@"):
        score_file(desk, source, tmp_path / "out.csv", workers=2, load=load, part_rows=50)


def _die():
    os._exit(9)


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_parts_are_joined_as_if_written_at_once(tmp_path, kind):
    first = pd.DataFrame({"号": [1, 2], "文": ["a\nb", "=1"], "混": [3, 4], "空": [None, None]})
    second = pd.DataFrame({"号": [5], "文": ["c"], "混": ["很多"], "空": ["有"]})
    parts = [tmp_path / f"{at}.{kind}" for at in range(2)]
    for at, table in enumerate((first, second)):
        write_part(table, parts[at], tmp_path / f".draft.{kind}", first=at == 0)
    join_parts(parts, tmp_path / f"all.{kind}", tmp_path / f".draft.{kind}")
    if kind == "xlsx":
        joined = pd.read_excel(tmp_path / "all.xlsx", engine="calamine")
    else:
        joined = read(tmp_path / f"all.{kind}")
    assert joined["号"].astype(int).tolist() == [1, 2, 5]
    assert joined["文"].tolist() == ["a\nb", "'=1", "c"] if kind != "parquet" else True
    assert joined["混"].tolist() == ([3, 4, "很多"] if kind == "xlsx" else ["3", "4", "很多"])
    assert joined["空"].fillna("").tolist() == ["", "", "有"]
    assert not list(tmp_path.glob(".draft*"))


def test_whole_numbers_with_gaps_stay_whole(desk, tmp_path):
    table = pa.table({"投诉内容": ["坏了"] * 4, "单号": pa.array([1, 2, 10**16 + 1, None])})
    parquet.write_table(table, tmp_path / "in.parquet")
    score_file(desk, tmp_path / "in.parquet", tmp_path / "out.parquet", part_rows=2)
    assert parquet.read_table(tmp_path / "out.parquet")["单号"].to_pylist() == [
        1, 2, 10**16 + 1, None
    ]  # fmt: skip
    score_file(desk, tmp_path / "in.parquet", tmp_path / "out.csv", part_rows=3)
    assert read(tmp_path / "out.csv")["单号"].fillna("").tolist() == ["1", "2", str(10**16 + 1), ""]


def test_a_column_without_a_heading_filled_late_is_kept_in_all_parts(desk, tmp_path):
    (tmp_path / "a.csv").write_text(
        "投诉清单,,,\n投诉内容,渠道,,\n坏了,,,\n\n慢,,,\n贵,,,\n少,,急,\n", "gb18030"
    )
    score_file(desk, tmp_path / "a.csv", tmp_path / "b.csv", part_rows=2)
    table = read(tmp_path / "b.csv")
    assert table["投诉内容"].tolist() == ["坏了", "慢", "贵", "少"]
    assert table["列3"].fillna("").tolist() == ["", "", "", "急"]
    assert "列4" not in table
    assert read_complaints(tmp_path / "a.csv")[0]["列3"].tolist() == ["", "", "", "急"]


def test_more_rows_than_excel_holds_are_refused_first(tmp_path):
    check_target(tmp_path / "b.xlsx", 1_048_575)
    check_target(tmp_path / "b.csv", 1_048_576)
    with pytest.raises(UsageError, match=r"holds 1,048,575 rows, and there are 1,048,576"):
        check_target(tmp_path / "b.xlsx", 1_048_576)
