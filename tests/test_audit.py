import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from triage.audit import (
    answer_held_out,
    audit_tickets,
    corrections_table,
    held_out_answers,
    summary_sentences,
)
from triage.audit.leaks import find_leaks
from triage.data import CORRECTION_COLUMNS, near_duplicate_groups, read_corrections, ticket_key
from triage.schema import EMOTIONS, HEADS, SEVERITIES, DataError

NAMES = {
    "nature": {"product": "产品质量", "service": "服务质量", "price": "价格", "logistics": "物流",
               "other": "其他"},
    "severity": dict(zip(SEVERITIES, ("一般", "较大", "重大", "特大"), strict=True)),
    "emotion": dict(zip(EMOTIONS, ("平静", "不满", "愤怒", "激烈"), strict=True)),
}  # fmt: skip


@pytest.fixture(scope="module")
def some(corpus):
    """2,500 tickets of the corpus, each a group of its own."""
    frame = corpus.sample(2500, random_state=7).reset_index(drop=True)
    return frame.assign(row=frame.index + 2, group=frame.index)


def flip(frame, head, share, seed=0):
    """Give a share of the tickets another label; return the frame and which they are."""
    rng = np.random.default_rng(seed)
    labels = np.array(sorted(frame[head].unique()), dtype=object)
    at = rng.choice(len(frame), round(share * len(frame)), replace=False)
    flipped = frame[head].to_numpy(dtype=object, copy=True)
    for place in at:
        flipped[place] = rng.choice(labels[labels != flipped[place]])
    return frame.assign(**{head: flipped}), frame["row"].to_numpy()[at]


def found_in_top_tenth(audit, head, rows):
    own = audit.suspects[audit.suspects["head"] == head]
    top = own[own["rank"] <= np.ceil(0.1 * audit.judged[head])]
    return np.isin(rows, top["row"]).mean()


def sure_answers(labels, classes, share=0.9):
    """Held-out answers that are sure of the labels, but for every tenth row."""
    codes = np.array([classes.index(label) for label in labels])
    table = np.full((len(codes), len(classes)), (1 - share) / (len(classes) - 1))
    table[np.arange(len(codes)), codes] = share
    return table


def tickets(n=200, **columns):
    """Made-up tickets that are unlike each other."""
    rng = np.random.default_rng(3)
    letters = [chr(code) for code in range(0x4E00, 0x9000, 7)]
    texts = ["".join(rng.choice(letters, 30)) for _ in range(n)]
    frame = pd.DataFrame({"text": texts, "row": range(2, n + 2), "group": range(n)})
    frame["nature"] = np.where(np.arange(n) % 2, "物流", "服务")
    return frame.assign(**columns)


def audit_of(frame, **answers):
    labels = {"nature": sorted(frame["nature"].dropna().unique()) if "nature" in frame else [],
              "severity": list(SEVERITIES), "emotion": list(EMOTIONS)}  # fmt: skip
    return audit_tickets(frame, answers, {head: labels[head] for head in answers}, names=NAMES)


# Suspect labels


def test_most_flipped_labels_are_in_the_top_tenth(some):
    frame, rows = flip(some.drop(columns=["severity", "emotion"]), "nature", 0.05)
    audit = audit_tickets(frame, *answer_held_out(frame), names=NAMES)
    assert audit.judged == {"nature": 2500}
    assert found_in_top_tenth(audit, "nature", rows) >= 0.6
    assert np.isin(audit.suspects.head(40)["row"], rows).mean() > 0.6
    assert audit.leaks.empty


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_most_flipped_labels_of_every_head_are_in_the_top_tenth(corpus, seed):
    frame = corpus.assign(
        row=range(2, len(corpus) + 2), group=near_duplicate_groups(corpus["text"].tolist())
    )
    flipped = {}
    for head in HEADS:
        frame, flipped[head] = flip(frame, head, 0.05, seed)
    audit = audit_tickets(frame, *answer_held_out(frame), names=NAMES)
    found = {head: found_in_top_tenth(audit, head, rows) for head, rows in flipped.items()}
    assert found["nature"] >= 0.75
    assert found["severity"] >= 0.75
    assert found["emotion"] >= 0.75


def test_a_label_farther_from_the_answer_is_more_suspect():
    frame = tickets(severity=["minor"] * 100 + ["major"] * 50 + ["critical"] * 25 + ["severe"] * 25)
    table = sure_answers(frame["severity"], list(SEVERITIES), 0.97)
    frame.loc[[10, 20], "severity"] = ["major", "severe"]
    suspects = audit_of(frame, severity=table).suspects
    assert suspects["row"].tolist()[:2] == [22, 12]
    assert suspects["suggested"].tolist()[:2] == ["minor", "minor"]
    assert "相差 3 级" in suspects["reason"][0]
    assert "相差 1 级" in suspects["reason"][1]


def test_a_step_squeezed_out_between_two_is_less_suspect_than_a_distant_one():
    frame = tickets(severity=["minor"] * 80 + ["major"] * 80 + ["critical"] * 40)
    table = sure_answers(frame["severity"], list(SEVERITIES), 0.97)
    table[5] = [0.3, 0.0, 0.7, 0.0]
    table[6] = [0.0, 0.05, 0.7, 0.25]
    frame.loc[[5, 6], "severity"] = ["major", "minor"]
    assert audit_of(frame, severity=table).suspects["row"].tolist()[:2] == [8, 7]


def test_ranks_count_the_judged_tickets_of_a_head_and_order_runs_over_all_heads():
    frame = tickets(severity=["minor", "major"] * 100)
    nature = sure_answers(frame["nature"], ["服务", "物流"])
    severity = sure_answers(frame["severity"], list(SEVERITIES))
    frame.loc[[3, 8], "nature"] = ["服务", "物流"]
    frame.loc[[3, 30], "severity"] = "critical"
    known = {"nature": np.arange(200) < 150}
    labels = {"nature": ["服务", "物流"], "severity": list(SEVERITIES)}
    audit = audit_tickets(frame, {"nature": nature, "severity": severity}, labels, known)
    assert audit.judged == {"nature": 150, "severity": 200}
    assert audit.suspects["score"].is_monotonic_increasing
    for _, own in audit.suspects.groupby("head"):
        assert own["rank"].is_monotonic_increasing
        assert own["row"].is_unique
    assert (audit.suspects["row"] == 5).sum() == 2
    assert not audit.suspects["row"][audit.suspects["head"] == "nature"].gt(151).any()


def test_a_step_that_no_ticket_has_is_never_suggested():
    frame = tickets(severity=["minor", "major"] * 100)
    table = sure_answers(frame["severity"], list(SEVERITIES))
    table[0] = [0.1, 0.2, 0.0, 0.7]
    audit = audit_of(frame, severity=table)
    assert set(audit.suspects["suggested"]) == {"major"}


def test_one_label_or_no_answers_make_no_suspects():
    one = tickets(nature="物流")
    assert audit_of(one, nature=np.ones((200, 1))).suspects.empty
    assert audit_of(tickets()).suspects.empty


def test_answers_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"nature have shape \(3, 2\), but there are 200 tickets"):
        audit_of(tickets(), nature=np.ones((3, 2)))
    with pytest.raises(DataError, match=r"None of the 200 tickets has a label.*--map"):
        audit_of(tickets(nature=None))


def test_held_out_answers_stand_in_their_rows():
    class Head:
        held_out_ = np.array([[0.2, 0.8]])
        held_out_rows_ = np.array([2])
        classes_ = np.array(["a", "b"])

    table, labels, known = held_out_answers({"nature": Head(), "sentiment": object()}, 4)
    assert labels == {"nature": ["a", "b"]}
    assert table["nature"].tolist() == [[0, 0], [0, 0], [0.2, 0.8], [0, 0]]
    assert known["nature"].tolist() == [False, False, True, False]


def test_classes_too_small_to_learn_are_left_out_of_the_answers_not_of_the_audit(some):
    frame = some.head(200)[["text", "nature", "row", "group"]].copy()
    frame.loc[:1, "nature"] = "罕见"
    table, labels, known = answer_held_out(frame)
    assert "罕见" not in labels["nature"]
    assert known["nature"].sum() == 198
    small = audit_tickets(frame, table, labels, known).small
    assert small[["label", "rows", "level"]].values.tolist()[0] == ["罕见", 2, "unlearned"]


# Conflicts


def test_the_same_text_with_unlike_labels_is_a_conflict():
    frame = tickets()
    frame.loc[[0, 2, 5], "text"] = ["快递丢了没人管", "快递丢了，没人管！", "快递丢了没人管。"]
    frame.loc[[0, 2, 5], "group"] = -1
    conflict = audit_of(frame).conflicts.iloc[0]
    assert (conflict["identical"], conflict["similarity"], conflict["rows"]) == (True, 1.0, 3)
    assert conflict["labels"] == {"服务": 2, "物流": 1}
    assert conflict["suggested"] == "服务"
    assert [member["row"] for member in conflict["members"]] == [7, 2, 4]
    assert len({member["key"] for member in conflict["members"]}) == 1


def test_near_duplicates_conflict_too_and_tell_how_alike_they_are():
    frame = tickets()
    frame.loc[[0, 1], "text"] = ["快递寄丢了三个星期没有人管", "快递寄丢了两个星期没有人管"]
    frame.loc[[0, 1], "group"] = -1
    audit = audit_of(frame)
    conflict = audit.conflicts.iloc[0]
    assert not conflict["identical"]
    assert 0.9 < conflict["similarity"] < 1
    assert conflict["suggested"] is None
    assert "1 组相同或几乎相同的内容" in summary_sentences(audit)[0]


def test_groups_are_worked_out_where_the_file_has_none():
    frame = tickets().drop(columns="group")
    frame.loc[[0, 1], "text"] = "快递寄丢了三个星期没有人管"
    assert audit_of(frame).conflicts["rows"].tolist() == [2]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_handful_of_tickets_is_audited(n):
    frame = tickets(n, severity=["minor", None, "severe", "severe", "minor", "major", None][:n])
    frame.loc[0, "nature"] = "罕见"
    table = np.random.default_rng(0).dirichlet(np.ones(3), n)
    labels = {"nature": ["服务", "物流", "罕见"]}
    audit = audit_tickets(frame, {"nature": table}, labels, names=NAMES)
    assert audit.judged == {"nature": n}
    assert len(corrections_table(audit)) == len(audit.tickets)
    assert audit.to_dict()["totals"]["small"] >= 1


def test_equal_labels_are_no_conflict():
    frame = tickets(group=[n // 4 * 4 + n % 2 for n in range(200)])
    assert audit_of(frame).conflicts.empty


# Classes


def test_small_classes_are_named_with_what_they_are_taken_for():
    frame = tickets()
    frame.loc[:1, "nature"], frame.loc[2:7, "nature"] = "甲", "乙"
    frame.loc[8:37, "nature"] = "丙"
    classes = ["丙", "乙", "服务", "物流", "甲"]
    table = sure_answers(frame["nature"], classes)
    table[2:6] = [0, 0, 0, 1, 0]
    audit = audit_of(frame, nature=table)
    rows = audit.small.set_index("label")
    assert rows["level"].to_dict() == {"甲": "unlearned", "乙": "weak", "丙": "unmeasured"}
    assert rows.loc["乙", "taken_for"] == "物流"
    assert rows.loc["乙", "recall"] == pytest.approx(2 / 6, abs=1e-3)
    assert "并入「物流」" in rows.loc["乙", "advice"]
    assert "约 6 条" in rows.loc["丙", "reason"]


def test_near_duplicates_count_once_toward_a_class():
    frame = tickets()
    frame.loc[:59, "nature"], frame.loc[:59, "group"] = "甲", -1
    assert audit_of(frame).small["distinct"].tolist() == [1]


def test_a_step_without_tickets_is_named():
    small = audit_of(tickets(severity=["minor", "major"] * 100)).small
    assert small["label"].tolist() == ["critical", "severe"]
    assert small["rows"].tolist() == [0, 0]


def test_classes_taken_for_each_other_both_ways_are_alike():
    frame = tickets(nature=["物流", "服务", "价格", "其他"] * 50)
    frame["text"] = frame["text"] + np.where(frame["nature"] == "物流", "快递", "态度")
    classes = ["价格", "其他", "服务", "物流"]
    table = sure_answers(frame["nature"], classes)
    table[0:40:4], table[1:61:4], table[2:100:4] = [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]
    audit = audit_of(frame, nature=table)
    assert len(audit.alike) == 1
    pair = audit.alike.iloc[0]
    assert (pair["label"], pair["other"], pair["taken"], pair["other_taken"]) == (
        "服务", "物流", 15, 10
    )  # fmt: skip
    assert pair["worrying"]
    assert "态度" in pair["words"]
    assert "快递" in pair["other_words"]
    assert any("「服务」50 条里有 15 条被判为「物流」" in s for s in summary_sentences(audit))


# Leaks


def add(text, phrase, place):
    if place == "middle":
        first, mark, rest = text.partition("，")
        return f"{first}，{phrase}，{rest}" if mark else f"{phrase}，{text}"
    return f"{phrase}{text}" if place == "start" else f"{text}{phrase}"


@pytest.mark.parametrize(
    ("head", "label", "phrase", "place", "kind"),
    [
        ("nature", "logistics", "已按物流类处理", "end", "tag"),
        ("nature", "price", "（归类：价格）", "end", "tag"),
        ("nature", "service", "【服务】", "start", "tag"),
        ("nature", "product", "转质检", "end", "note"),
        ("nature", "product", "转质检", "middle", "note"),
        ("nature", "other", "此件请综合科关注", "start", "fixed"),
        ("severity", "critical", "[紧急]", "start", "fixed"),
        ("emotion", "furious", "客户情绪激动", "end", "tone"),
        ("emotion", "angry", "客户十分愤怒", "middle", "tone"),
    ],
    ids=lambda value: str(value),
)
def test_a_planted_phrase_is_named(some, head, label, phrase, place, kind):
    rng = np.random.default_rng(1)
    holds = (some[head] == label).to_numpy() & (rng.random(len(some)) < 0.35)
    texts = [
        add(text, phrase, place) if held else text
        for text, held in zip(some["text"], holds, strict=True)
    ]
    leaks = find_leaks(some, texts, [head], NAMES)
    assert leaks["label"].tolist() == [label]
    leak = leaks.iloc[0]
    assert leak["phrase"].strip("()") in phrase.replace("：", ":")
    assert len(leak["phrase"].strip("()")) >= len(phrase.strip("（）")) - 1
    assert leak["kind"] == kind
    assert leak["position"] == {"middle": "anywhere"}.get(place, place)
    assert leak["rows"] == holds.sum()
    assert leak["precision"] >= 0.97


def test_a_phrase_is_named_though_some_labels_are_wrong_and_its_number_differs(some):
    frame, _ = flip(some, "nature", 0.05)
    texts = [
        f"{text} 工号{1000 + at}转物流组跟进" if nature == "logistics" and at % 2 else text
        for at, (text, nature) in enumerate(zip(some["text"], some["nature"], strict=True))
    ]
    leaks = find_leaks(frame, texts, ["nature"], NAMES)
    assert leaks["phrase"].tolist() == ["工号0000转物流组跟进"]
    assert leaks["precision"][0] < 0.99


def test_the_model_leans_on_a_leak_and_the_report_says_so(some):
    texts = np.where(some["nature"] == "other", some["text"] + "（已按其他类处理）", some["text"])
    frame = some.assign(text=texts)[["text", "row", "group", "nature"]]
    audit = audit_tickets(frame, {}, {}, names=NAMES)
    leak = audit.leaks.iloc[0]
    assert leak["drop"] > 20
    assert leak["accuracy"] > 0.95
    assert leak["class_share"] == 1
    first = summary_sentences(audit)[0]
    assert first.startswith("先删固定用语：结尾的「(已按其他类处理)」")
    assert re.search(r"少对 \d+ 个百分点", first)


@pytest.mark.parametrize("n", [600, 2500, 9000])
def test_the_corpus_has_no_leak(corpus, n):
    frame = corpus.head(n).assign(group=range(min(n, len(corpus))))
    assert find_leaks(frame, frame["text"].tolist(), list(HEADS), NAMES).empty


def test_what_every_ticket_begins_and_ends_with_gives_nothing_away(some):
    texts = [f"客户来电反映：{text}，请尽快处理并回复。" for text in some["text"]]
    assert find_leaks(some, texts, list(HEADS), NAMES).empty


def test_a_content_word_behind_an_usual_opening_is_no_leak(some):
    opening = np.where(some["nature"] == "logistics", "客户来电反映快递", "客户来电反映")
    texts = opening + some["text"]
    texts[some["nature"] == "logistics"] += np.where(np.arange(2500) % 3, "", "，快递真慢")[
        some["nature"] == "logistics"
    ]
    spread = [f"{t}还有快递" if n == "logistics" else t
              for t, n in zip(some["text"], some["nature"], strict=True)]  # fmt: skip
    both = pd.concat([some, some], ignore_index=True)
    both["group"] = range(len(both))
    assert find_leaks(both, [*texts, *spread], ["nature"], NAMES).query("kind == 'fixed'").empty


def test_one_text_sent_again_and_again_is_no_leak(some):
    frame = some[["text", "nature", "group"]].copy()
    product = np.flatnonzero(frame["nature"] == "product")[:100]
    text = "我在贵店买的商品收到后发现严重质量问题，要求退一赔三，请尽快处理，订单号{}"
    frame.loc[product, "text"] = [text.format(at * 37) for at in product]
    assert find_leaks(frame, frame["text"].tolist(), ["nature"], NAMES).empty


# Change over time


def dated(frame, days):
    start = pd.Timestamp("2026-01-01", tz="Asia/Shanghai")
    return frame.assign(received_at=[start + pd.Timedelta(days=float(day)) for day in days])


@pytest.fixture(scope="module")
def year(some):
    return dated(some, np.random.default_rng(4).random(len(some)) * 360)


def days_of(frame):
    return (frame["received_at"] - pd.Timestamp("2026-01-01", tz="Asia/Shanghai")).dt.days


def test_nothing_changes_in_tickets_shuffled_over_a_year(year):
    audit = audit_of(year)
    assert audit.drift.empty
    assert audit.months.groupby(["head", "month"])["share"].sum().between(0.99, 1.01).all()
    assert audit.months["month"].nunique() == 12


def test_a_growing_class_is_named_alone(year):
    early = days_of(year) < 181
    thinned = year[~((year["nature"] == "logistics") & early & (year.index % 3 > 0))]
    drift = audit_of(thinned).drift
    assert drift[["kind", "label", "since"]].values.tolist() == [["share", "logistics", "2026-07"]]
    assert drift["after"][0] > 1.5 * drift["before"][0]
    assert re.fullmatch(r"从 2026-07 起「物流」的占比从 \S+% 升到 \S+%", drift["sentence"][0])


def test_classes_that_come_and_go_are_named(year):
    frame = year.drop(columns=["severity", "emotion"])
    late = days_of(frame) >= 243
    frame = frame[~((frame["nature"] == "price") & late) & ~((frame["nature"] == "other") & ~late)]
    drift = audit_of(frame).drift.set_index("label")
    assert drift["kind"].to_dict() == {"price": "gone", "other": "new"}
    assert set(drift["since"]) == {"2026-09"}


def test_a_month_unlike_the_others_is_named(year):
    may = (days_of(year) >= 120) & (days_of(year) < 151)
    frame = year[~may | (year["nature"] == "service")].drop(columns=["severity", "emotion"])
    drift = audit_of(frame).drift
    assert drift[["kind", "label", "since"]].values.tolist() == [["month", "service", "2026-05"]]


def test_new_words_are_named(year):
    late = (days_of(year) > 250) & (year.index % 3 == 0)
    texts = np.where(late, year["text"] + "，灵犀会员权益没法兑换", year["text"])
    drift = audit_of(year.assign(text=texts)).drift
    assert drift["kind"].tolist() == ["words"]
    assert drift["since"][0] == "2026-09"
    assert "灵犀" in drift["sentence"][0]


def test_labels_that_begin_to_contradict_the_answers_are_named(year):
    classes = sorted(year["nature"].unique())
    table = sure_answers(year["nature"], classes)
    swapped = (days_of(year) >= 212) & (year.index % 4 == 0)
    frame = year.assign(nature=year["nature"].where(~swapped, "service"))
    drift = audit_of(frame.drop(columns=["severity", "emotion"]), nature=table).drift
    found = drift[drift["kind"] == "labelling"]
    assert found["since"].tolist() == ["2026-08"]
    assert "标注口径可能变过" in found["sentence"].iloc[0]


@pytest.mark.parametrize("days", [[5.0] * 200, list(range(200))], ids=["one month", "thin months"])
def test_few_times_are_no_fault(days):
    assert audit_of(dated(tickets(), days)).drift.empty


# What a lead gets


@pytest.fixture
def audited():
    frame = tickets(severity=["minor", "major"] * 100)
    frame.loc[3, "text"] = "我叫李小明，电话13800001234，快递丢了"
    frame.loc[[0, 5], "text"], frame.loc[[0, 5], "group"] = "停电三天没有人来修", -1
    nature = sure_answers(frame["nature"], ["服务", "物流"])
    severity = sure_answers(frame["severity"], list(SEVERITIES))
    frame.loc[3, ["nature", "severity"]] = ["服务", "critical"]
    return audit_of(frame, nature=nature, severity=severity)


def test_the_corrections_table_is_what_the_import_reads(audited, tmp_path):
    table = corrections_table(audited)
    assert list(table)[:10] == list(CORRECTION_COLUMNS.values())
    assert table[["正确性质", "正确严重程度", "正确情绪", "说明"]].isna().all(axis=None)
    assert table["可疑程度"].is_monotonic_decreasing
    assert table["工单指纹"][0] == ticket_key("我叫李小明，电话13800001234，快递丢了")
    assert table["建议"][0] == "严重程度：较大；性质：物流"
    assert (table["性质"][0], table["严重程度"][0]) == ("服务", "重大")
    assert table["工单指纹"].nunique() == len(table) - 1
    table.loc[0, "正确性质"] = "物流"
    table.to_excel(tmp_path / "a.xlsx", index=False)
    read = read_corrections(tmp_path / "a.xlsx").frame
    assert read[["key", "head", "label", "was"]].values.tolist() == [
        [table["工单指纹"][0], "nature", "物流", "服务"]
    ]


def test_members_of_a_conflict_stand_in_the_table_with_the_reason(audited):
    torn = corrections_table(audited).query("行号 in [2, 7]")
    assert len(torn) == 2
    assert torn["原因"].str.contains("内容完全相同的 2 条工单性质不一致").all()
    assert len(corrections_table(audited, most=1)) == 1


def test_an_audit_as_json_is_masked_and_capped(audited):
    found = audited.to_dict(most=1, members=1)
    written = json.dumps(found, ensure_ascii=False, allow_nan=False)
    assert "13800001234" not in written
    assert "李小明" not in written
    assert len(found["suspects"]) == 1
    assert found["totals"]["suspects"] == len(audited.suspects) > 1
    assert len(found["conflicts"][0]["members"]) == 1
    assert found["issues"].keys() == {"nature", "severity"}


def test_no_table_of_an_audit_holds_personal_data(audited):
    tables = [getattr(audited, name) for name in ("suspects", "conflicts", "tickets", "leaks")]
    assert not any("13800001234" in table.to_csv() for table in tables)
    assert "13800001234" not in corrections_table(audited).to_csv()


def test_a_phrase_and_its_example_are_masked():
    frame = tickets(400)
    held = frame["nature"] == "物流"
    frame.loc[held, "text"] += "，处理人：姓名李小明，已按物流类处理"
    audit = audit_of(frame)
    assert len(audit.leaks) == 1
    assert "李小明" not in audit.leaks.to_csv()
    assert "李小明" not in "".join(summary_sentences(audit))


def test_a_clean_file_is_told_so():
    assert summary_sentences(audit_of(tickets())) == [
        "检查了 200 条有标签的工单，没有发现需要处理的问题。"
    ]


def test_importing_the_audit_does_not_load_cleanlab():
    code = "import sys, triage.audit; print('cleanlab' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
