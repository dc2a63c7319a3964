"""The pages that people read: whole, true, escaped, offline."""

import re
import subprocess
import sys
import time
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.data import look_at, next_command
from triage.evaluate import (
    Baselines,
    compare,
    coverage_precision,
    evaluate_heads,
    sentiment_metrics,
    tickets_table,
)
from triage.policy import load_policy
from triage.privacy import mask
from triage.report import (
    ShownError,
    ShownSpan,
    audit_page,
    import_page,
    model_page,
    worst_errors,
    write_page,
)
from triage.report.shown import LONGEST, pieces
from triage.schema import EMOTIONS, SEVERITIES, DataError

NATURES = ("logistics", "price", "product", "service")
LABELS = {"nature": NATURES, "severity": SEVERITIES, "emotion": EMOTIONS}
MANIFEST = {
    "created_at": "2026-12-01T06:15:07+08:00", "own_heads": ["nature", "severity", "emotion"],
    "rows": {"train": 700, "test": 300, "quarantined": 4}, "seed": 20261122,
    "thresholds": {"auto": 0.9, "suggest": 0.3}, "libraries": {"numpy": "2.4.6"},
    "segmenter": {"name": "rjieba", "version": "0.2.2", "user_words": 0},
    "data_sha256": "a91be3d2", "files": {"model.joblib": "e1152ae4"},
}  # fmt: skip
VERSION = "20261201-0615"


class Parts(HTMLParser):
    """Text, ids, links and tags of a page; unbalanced tags are gathered."""

    VOID = {"meta", "br", "path", "use", "rect", "image"}

    def __init__(self, page):
        super().__init__()
        self.open, self.faults, self.tags, self.text = [], [], [], []
        self.ids, self.links, self.sections = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.links += [value for name, value in attributes if name in ("href", "xlink:href", "src")]
        if tag == "section":
            self.sections.append(found["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


@pytest.fixture(scope="module")
def names():
    return load_policy("default").file.labels.model_dump()


def tickets_of(n=1000, skill=0.85, seed=5, **columns):
    """Tickets with answers that are right so often, of a made-up model."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "row": range(2, n + 2), "group": range(n),
        "text": [f"第{i}件：" + "快递没到，客服不理" * (1 + i % 7) for i in range(n)],
        "channel": rng.choice(["app", "web", "store"], n),
        **{head: rng.choice(labels, n) for head, labels in LABELS.items()}, **columns,
    })  # fmt: skip
    test = np.arange(n) % 10 < 3
    held = frame[test].reset_index(drop=True)
    probabilities = {}
    for head, labels in LABELS.items():
        table = rng.dirichlet(np.ones(len(labels)), len(held))
        right = rng.random(len(held)) < skill
        for row in np.flatnonzero(right):
            table[row, labels.index(held[head][row])] += rng.choice([1, 4, 40])
        probabilities[head] = table / table.sum(axis=1, keepdims=True)
    keys = [f"{i:014x}" for i in range(n)]
    return frame, test, held, probabilities, keys


def measured(made):
    """Metrics and tickets of a made-up model, as a model's folder holds them."""
    frame, test, held, probabilities, keys = made
    baselines = Baselines.fit(frame[~test])
    found = evaluate_heads(held, probabilities, LABELS, baselines)
    sure = probabilities["nature"].max(axis=1)
    right = np.array(NATURES)[probabilities["nature"].argmax(axis=1)] == held["nature"]
    scores = np.linspace(0, 1, 60)
    metrics = {
        "heads": {head: figures.to_dict() for head, figures in found.items()},
        "coverage": coverage_precision(sure, right.to_numpy()),
        "sentiment": sentiment_metrics(
            ["好" * (1 + i * 3) for i in range(60)], (scores > 0.4).astype(int), scores, scores
        ),
        "baselines": {"majority": baselines.majority,
                      "severity_by_nature": baselines.severity_by_nature},
    }  # fmt: skip
    return metrics, tickets_table(frame, test, keys, probabilities, LABELS)


@pytest.fixture(scope="module")
def model():
    return measured(tickets_of())


def spoilt(tickets, head, share, only=None):
    """A model's answers, of which a share is turned into another label."""
    rows = tickets[tickets["side"] == "test"]
    answers = rows[f"{head}_answer"].to_numpy(dtype=object).copy()
    at = np.flatnonzero(rows[head] == only) if only else np.arange(len(answers))
    for row in at[: round(share * len(at))]:
        answers[row] = LABELS[head][(LABELS[head].index(answers[row]) + 1) % len(LABELS[head])]
    return list(answers)


def compared(tickets, names, old, new):
    """What separates two models that are spoilt as told: (share, only this label)."""
    rows = tickets[tickets["side"] == "test"].reset_index(drop=True)
    return compare(
        rows,
        ("20261101-0900", {head: spoilt(tickets, head, *old) for head in LABELS}),
        (VERSION, {head: spoilt(tickets, head, *new) for head in LABELS}),
        protected=["critical", "severe"], margin=0.02, names=names,
    ).to_dict()  # fmt: skip


@pytest.fixture(scope="module")
def audit():
    text = "客服态度差【已定性为服务类】，电话13800001234"
    return {
        "suspects": [
            {"key": f"{i:014x}", "row": i + 2, "text": text, "head": "nature", "label": "price",
             "suggested": "service", "score": 0.01, "probability": 0.97, "own_probability": 0.01,
             "rank": i + 1, "issue": True, "reason": "模型判为「服务质量」（把握 97%）"}
            for i in range(15)
        ],
        "conflicts": [
            {"head": "severity", "group": 1, "identical": False, "similarity": 0.93, "rows": 2,
             "labels": {"minor": 1, "severe": 1}, "suggested": None, "text": text,
             "members": [{"key": "a", "row": 7, "text": text, "label": "minor"},
                         {"key": "b", "row": 9, "text": text, "label": "severe"}]},
        ],
        "small": [
            {"head": "nature", "label": "积分", "rows": 7, "distinct": 6, "level": "weak",
             "recall": 0.2, "taken_for": "price", "reason": "少", "advice": "补充到 50 条以上"}
        ],
        "alike": [
            {"head": "nature", "label": "price", "other": "service", "rows": 90, "other_rows": 80,
             "taken": 20, "other_taken": 18, "share": 0.22, "words": ["扣费"],
             "other_words": ["态度"], "shared_words": ["退款"], "sentence": "混淆"}
        ],
        "leaks": [
            {"phrase": "【已定性为服务类】", "head": "nature", "label": "service", "rows": 50,
             "class_share": 0.4, "precision": 0.99, "position": "end", "position_share": 1.0,
             "kind": "note", "accuracy": 0.98, "accuracy_without": 0.61, "drop": 37.0,
             "example": text, "advice": "训练前从内容里删去"}
        ],
        "drift": [{"kind": "share", "head": "nature", "label": "price", "since": "2025-09",
                   "before": 0.2, "after": 0.3, "rows": 40, "p_value": 0.0,
                   "sentence": "从 2025-09 起「价格」的占比从 20% 升到 30%"}],
        "months": [{"month": month, "head": "nature", "label": label, "rows": 30, "share": 0.5}
                   for month in ("2025-08", "2025-09") for label in ("price", "service")],
        "judged": {"nature": 900}, "labelled": {"nature": 1000}, "issues": {"nature": 15},
        "totals": {"suspects": 15, "conflicts": 1, "leaks": 1},
    }  # fmt: skip


@pytest.fixture(scope="module")
def full(model, names, audit):
    """A page with everything on it."""
    metrics, tickets = model
    some = tickets.groupby("side").head(20)
    corrections = pd.DataFrame(
        {"key": some["key"], "head": "nature", "label": some["nature"], "text": some["text"],
         "answer": some["nature"]}
    )  # fmt: skip
    errors = [
        ShownError(error.key, error.head, error.truth, error.answer, error.probability, error.text,
                   (ShownSpan(0, 3, 1.2), ShownSpan(4, 6, -0.4)))
        for error in worst_errors(tickets)
    ]  # fmt: skip
    return model_page(
        MANIFEST, metrics, tickets, compared(tickets, names, (0.2,), (0.0,)), audit, corrections,
        names, version=VERSION, errors=errors, notes=["完全重复的 58 行已合并"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def bare(model, names):
    """The page of a first model."""
    metrics, tickets = model
    return model_page(MANIFEST, metrics, tickets, None, None, None, names, version=VERSION)


@pytest.fixture(scope="module")
def audited(audit, names):
    return audit_page(
        audit, names, sentences=["先删固定用语"], source="过往 工单.xlsx", table="检查.xlsx"
    )


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """An export with labels of which one is not understood, and its first look."""
    path = tmp_path_factory.mktemp("export") / "工单.csv"
    rows = [f"快递{i}天没到，电话13800001234" for i in range(60)]
    pd.DataFrame({
        "投诉内容": [*rows, "", rows[0]], "问题分类": ["物流", "服务"] * 31,
        "紧急程度": ["一般", "较大"] * 30 + ["十万火急"] * 2,
        "受理时间": [f"2025-{1 + i % 3:02d}-05" for i in range(62)], "联系电话": "13800001234",
    }).to_csv(path, index=False)  # fmt: skip
    return look_at(path)


@pytest.fixture(scope="module")
def imported(export, names):
    return import_page(
        export.to_dict(), names, command=next_command(export), mapping="工单.mapping.yaml"
    )


@pytest.fixture(params=["full", "bare", "audited", "imported"])
def page(request):
    return request.getfixturevalue(request.param)


def test_a_page_loads_nothing_and_runs_nothing(page):
    found = Parts(page)
    assert not {tag for tag, _ in found.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "form",
    }
    assert all(link.startswith("#") for link in found.links)
    assert "http" not in page.replace("http-equiv", "")
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert not [name for _, attributes in found.tags for name in attributes if name[:2] == "on"]


def test_a_page_is_whole(page):
    found = Parts(page)
    assert found.faults == []
    assert found.open == []
    assert [name for name, count in Counter(found.ids).items() if count > 1] == []
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert "None" not in "".join(found.text)
    assert "nan" not in "".join(found.text)


def test_a_page_prints_and_knows_dark(page):
    assert "@media print" in page
    assert "prefers-color-scheme: dark" in page
    assert "break-inside: avoid" in page
    assert "Noto Sans CJK SC" in page


def test_a_page_explains_exactly_the_figures_that_it_uses(page):
    found = Parts(page)
    explained = [name for name in found.ids if name.startswith("term-")]
    linked = {link[1:] for link in found.links if link.startswith("#term-")}
    noted = {"term-interval", "term-under", "term-sure", "term-confident"}
    assert linked <= set(explained) <= linked | noted


def test_a_term_in_a_ready_sentence_is_explained(model, names):
    metrics, tickets = model
    without = {**metrics, "sentiment": None, "coverage": []}
    page = model_page(MANIFEST, without, tickets, names=names, version=VERSION)
    explained = {name for name in Parts(page).ids if name.startswith("term-")}
    assert "term-interval" in explained  # the verdict names it
    assert not {"term-auc", "term-brier", "term-extremes", "term-coverage"} & explained


def test_the_verdict_stands_on_top_with_its_reasons(full, model, names):
    comparison = compared(model[1], names, (0.2,), (0.0,))
    text = "".join(Parts(full).text)
    places = [text.index(sentence) for sentence in comparison["sentences"]]
    assert places == sorted(places)
    assert places[-1] < text.index("判得有多好")
    assert f"<h1>{comparison['sentences'][0]}</h1>" in full


@pytest.mark.parametrize(
    ("old", "new", "kind", "command"),
    [
        pytest.param((0.2,), (0.0,), "accept", f"triage models promote {VERSION}<", id="better"),
        pytest.param((0.0,), (0.0,), "warn", f"triage models promote {VERSION}<", id="equal"),
        pytest.param((0.0,), (0.5, "critical"), "refuse", "--force --reason", id="loses critical"),
    ],
)
def test_the_verdict_has_its_colour_and_the_next_command(model, names, old, new, kind, command):
    comparison = compared(model[1], names, old, new)
    page = model_page(MANIFEST, *model, comparison, names=names, version=VERSION)
    assert comparison["verdict"] == kind
    assert f'class="card verdict {kind}"' in page
    assert command in page


def test_every_figure_of_every_head_stands_on_the_page(full, model):
    text = "".join(Parts(full).text)
    for head, figures in model[0]["heads"].items():
        wanted = [f"{figures['macro_f1']:.3f}", f"{figures['accuracy']:.1%}",
                  f"{figures['calibration_error']:.3f}",
                  f"{figures['baselines']['majority']['macro_f1']:.3f}"]  # fmt: skip
        if head != "nature":
            wanted += [f"{figures['kappa']:.3f}", f"{figures['under_grading']:.1%}"]
        assert [figure for figure in wanted if figure not in text] == []
        for row in figures["classes"]:
            assert f"{row['f1']:.3f}" in text


def test_labels_heads_and_slices_are_shown_in_chinese(full):
    text = "".join(Parts(full).text)
    for name in ("物流", "特大", "激烈", "性质", "严重程度", "情绪", "手机应用", "门店"):
        assert name in text
    for label in ("logistics", "severe", "furious", "nature", "channel", "newly_wrong"):
        assert label not in text


def test_the_confusion_counts_every_held_out_ticket(full, model):
    tickets = model[1]
    rows = tickets[tickets["side"] == "test"]
    cells = re.findall(r'<td class="hit" style="--s:[\d.]+">(\d+)', full)
    wanted = [
        int(((rows[head] == label) & (rows[f"{head}_answer"] == label)).sum())
        for head, labels in LABELS.items()
        for label in (rows["nature"].value_counts().index if head == "nature" else labels)
    ]
    assert sorted(map(int, cells)) == sorted(wanted)


def test_a_first_model_has_only_the_sections_that_it_has_data_for(bare, full):
    left_out = {"compared", "changes", "suspects", "corrections"}
    assert left_out <= set(Parts(full).sections)
    assert set(Parts(full).sections) - set(Parts(bare).sections) == left_out
    assert "可以启用：性质、严重程度、情绪都明显好于不读内容的猜测" in bare


def test_a_model_with_nothing_but_one_head_renders(names):
    frame, test, held, probabilities, keys = tickets_of()
    only = {"nature": probabilities["nature"]}
    frame, held = (
        table.drop(columns=["severity", "emotion", "channel"]) for table in (frame, held)
    )
    baselines = Baselines.fit(frame[~test])
    found = evaluate_heads(held, only, LABELS, baselines)
    base = {"rows": 10, "accuracy": 0.5, "macro_f1": 0.4, "kappa": 0.3, "under_grading": 0.1,
            "calibration_error": 0.02, "baselines": {}, "slices": {}, "origin": "20261101-0000",
            "classes": []}  # fmt: skip
    metrics = {"heads": {"nature": found["nature"].to_dict(), "severity": base}}
    tickets = tickets_table(frame, test, keys, only, LABELS)
    page = model_page({}, metrics, tickets, names=names, version=VERSION)
    assert "由自带的基础模型 20261101-0000 来判" in page
    assert {"coverage", "sentiment"} & set(Parts(page).sections) == set()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param({"n": 100}, "只有 30 条留出工单", id="too few rows"),
        pytest.param({"skill": 0.0}, "不明显好于不读内容的猜测", id="no better than guessing"),
    ],
)
def test_a_first_model_that_proves_nothing_is_warned_about(names, made, said):
    metrics, tickets = measured(tickets_of(**made))
    page = model_page(MANIFEST, metrics, tickets, names=names, version=VERSION)
    assert 'class="card verdict warn"' in page
    assert said.replace("不明显", "并不明显") in page


def test_a_first_model_that_misses_the_gravest_is_warned_about(model, names):
    metrics, tickets = model
    tickets = tickets.copy()
    grave = tickets["severity"].isin(["critical", "severe"]) & (tickets["side"] == "test")
    missed = tickets.index[grave][: round(0.6 * grave.sum())]
    tickets.loc[missed, "severity_answer"] = "minor"
    page = model_page(MANIFEST, metrics, tickets, names=names, version=VERSION)
    assert re.search(r"<h1>请斟酌：.*重大、特大投诉 \d+ 条里只找出 \d+ 条</h1>", page)


BAD = '<script>alert("x")</script>'


def test_what_is_told_is_escaped(names, audit):
    made = tickets_of(channel=[BAD] * 1000, text=[f"{BAD}{i}" for i in range(1000)])
    metrics, tickets = measured(made)
    suspect = {**audit["suspects"][0], "text": BAD, "label": BAD, "reason": BAD}
    page = model_page(
        MANIFEST, metrics, tickets, compared(tickets, names, (0.2,), (0.0,)),
        {"suspects": [suspect]}, None, {**names, "nature": {"price": BAD}}, version=BAD,
        source=BAD, notes=[BAD],
    )  # fmt: skip
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 20


def test_pages_of_audit_and_import_escape_too(audit, export):
    leak = {**audit["leaks"][0], "phrase": BAD, "example": f"前{BAD}后"}
    look = {**export.to_dict(), "source": BAD, "notes": [BAD], "unread": [BAD], "todo": [BAD]}
    told = {**audit, "leaks": [leak]}
    for page in (audit_page(told, sentences=[BAD], source=BAD), import_page(look, command=BAD)):
        assert "<script" not in page
        assert "&lt;script&gt;" in page


def test_personal_data_never_stands_on_a_page(page, audited, imported):
    assert "13800001234" not in page
    assert "***********" in audited
    assert "***********" in imported


def test_corrections_are_counted_apart_by_what_was_learned(model, names):
    metrics, tickets = model
    held = tickets[tickets["side"] == "test"]
    right, wrong = held["nature"] == held["nature_answer"], held["nature"] != held["nature_answer"]
    some = pd.concat([held[right].head(6), held[wrong].head(2)])
    learned = tickets[tickets["side"] == "train"].head(3)
    corrections = pd.concat([
        pd.DataFrame({"key": some["key"], "head": "nature", "label": some["nature"],
                      "text": some["text"]}),
        pd.DataFrame({"key": learned["key"], "head": "nature", "label": "price", "text": "贵",
                      "answer": ["price", "price", "service"]}),
        pd.DataFrame({"key": ["no such"], "head": ["nature"], "label": ["price"]}),
    ])  # fmt: skip
    page = model_page(
        MANIFEST, metrics, tickets, corrections=corrections, names=names, version=VERSION
    )
    text = re.sub(r"\s+", " ", "".join(Parts(page).text))
    assert "12 处更正里，这个模型按更正后的标签判对 8 处（73%，1 处没有量）" in text
    for row in ("留出没学 8 6 75%", "学过 3 2 67%"):
        assert row.replace(" ", "") in text.replace(" ", "")


def test_the_worst_errors_begin_with_those_graded_far_too_low():
    tickets = pd.DataFrame(
        [("a", "severe", "major", 0.9), ("b", "severe", "minor", 0.5),
         ("c", "minor", "severe", 0.99), ("d", "major", "minor", 0.8),
         ("e", "severe", "severe", 0.7)],
        columns=["key", "severity", "severity_answer", "severity_probability"],
    ).assign(side="test", text="内容")  # fmt: skip
    found = worst_errors(tickets, surest=1, under=3)
    assert [error.key for error in found] == ["b", "a", "d", "c"]
    assert [error.steps_off for error in found] == [-3, -2, -1, 3]
    assert [error.is_under_graded for error in found] == [True, True, True, False]


@given(
    st.text(st.sampled_from("快递没到，电话13800001234 我叫李小明<&"), max_size=120),
    st.lists(st.tuples(st.integers(-5, 130), st.integers(-5, 130), st.floats(-3, 3)), max_size=6),
)
def test_the_pieces_of_a_text_are_the_masked_text(text, spans):
    parts = pieces(text, [ShownSpan(*span) for span in spans])
    assert "".join(part.text for part in parts) == mask(text)
    assert all(bool(part.level) == bool(part.side) for part in parts)


def test_a_long_text_is_cut_to_where_the_weight_lies():
    text = "开头" * 400 + "没到" + "结尾" * 400
    shown = "".join(part.text for part in pieces(text, [ShownSpan(800, 802, 2.0)]))
    assert "没到" in shown
    assert len(shown) <= LONGEST + 2
    assert shown.startswith("…") and shown.endswith("…")


def test_the_phrases_that_led_to_a_mistake_are_marked_by_weight(full):
    assert re.search(r'<mark class="for l3">第\d*', full)
    assert '<mark class="against l1">' in full


def test_tickets_are_drawn_by_month_where_they_have_dates(names):
    dates = pd.date_range("2025-01-01", periods=1000, freq="9h", tz="Asia/Shanghai")
    metrics, tickets = measured(tickets_of(received_at=dates))
    page = model_page(MANIFEST, metrics, tickets, names=names, version=VERSION)
    assert "每月受理" in page
    assert "受理时间从 2025-01-01 到 2026-01-10" in page


def test_a_page_is_the_same_each_time(model, names, bare):
    assert model_page(MANIFEST, *model, names=names, version=VERSION) == bare


def test_sixty_classes_and_two_thousand_held_out_tickets_take_seconds(model, names):
    rng, n = np.random.default_rng(1), 6_600
    labels = [f"一级{i % 6} / 二级{i}" for i in range(60)]
    truth = rng.choice(labels, n, p=(weights := 1 / np.arange(1, 61)) / weights.sum())
    answer = np.where(rng.random(n) < 0.8, truth, rng.choice(labels, n))
    frame, test, held, probabilities, keys = tickets_of(n)
    table = tickets_table(frame, test, keys, probabilities, LABELS)
    table["nature"], table["nature_answer"] = truth, answer
    classes = [{"label": label, "precision": 0.8, "recall": 0.8, "f1": 0.8, "rows": 33}
               for label in labels]  # fmt: skip
    metrics = {**model[0]}
    metrics["heads"] = {**metrics["heads"]}
    metrics["heads"]["nature"] = {**metrics["heads"]["nature"], "classes": classes}
    begin = time.perf_counter()
    page = model_page(MANIFEST, metrics, table, names=names, version=VERSION)
    assert time.perf_counter() - begin < 10
    assert "类别多，只列混得最多的" not in page  # the ordered heads still have their tables
    assert "再看 45 类" in page


def test_an_audit_says_what_to_do_first_and_how_to_correct(audited):
    text = "".join(Parts(audited).text)
    assert "训练之前，请先删去 1 处泄露标签的固定用语" in text
    assert text.index("先删固定用语") < text.index("泄露标签的话")
    assert '<mark class="for l3">【已定性为服务类】</mark>' in audited
    assert "37.0 个百分点" in text
    assert "triage feedback import 检查.xlsx" in text
    assert "triage audit '过往 工单.xlsx'" in text
    assert "正确严重程度" in text


def test_an_audit_that_found_nothing_is_short():
    page = audit_page({"labelled": {"nature": 900}}, sentences=["没有发现需要处理的问题。"])
    assert "标签没有发现大问题，可以训练" in page
    assert Parts(page).sections == ["next"]


def test_an_import_says_what_it_did_not_understand(imported):
    text = "".join(Parts(imported).text)
    assert "还有 1 件事要您处理" in text
    assert "十万火急" in text and "没看懂" in text
    assert "工单.mapping.yaml" in text
    assert "联系电话" in text and "手机号" in text


def test_an_import_that_was_understood_leads_to_training(export, names):
    look = {**export.to_dict(), "todo": []}
    page = import_page(look, names, command="python train.py --data 工单.csv")
    assert "<h1>可以训练：读到 62 行" in page
    assert 'class="card verdict accept"' in page


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_page(path, "旧")
    monkeypatch.setattr("os.fdopen", _no_space)
    with pytest.raises(DataError, match=r"report\.html can't be written .*No space"):
        write_page(path, "新")
    assert path.read_text("utf-8") == "旧"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def _no_space(handle, *args, **options):
    raise OSError(28, "No space left on device")


def test_the_room_draws_nothing_until_a_page_is_asked_for():
    code = "import sys, triage.report; print({'matplotlib', 'jinja2'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_a_page_for_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="check the folder"):
        write_page(tmp_path / "nowhere" / "report.html", "页")
