"""What the desk must and must not see: hand-written cases over all signals and guards.

`behaviour.csv` says for each text whether a signal fires, with which certainty, or why it is
silent, and where it matters what the grade is at the least or at the most. The phrases were written
for the kind, not the case, and some cases are still missed: the tests ask for shares, and name what
is missed when they fail. `behaviour_unseen.csv` was written by another hand after the phrases were
done: it says what a stranger may expect, and no phrase is to be written from it.
"""

from pathlib import Path

import pandas as pd
import pytest

from triage.schema import SEVERITIES, Complaint
from triage.signals import NAMES, find_amounts, shipped_signals
from triage.text import normalise

CASES = pd.read_csv(Path(__file__).with_name("behaviour.csv"), dtype=str).fillna("")
UNSEEN = pd.read_csv(Path(__file__).with_name("behaviour_unseen.csv"), dtype=str).fillna("")

PINNED = {
    "我不想活了，你们逼死人": True,
    "吃了你们的外卖全家拉肚子住院": True,
    "三十多个业主准备拉横幅": True,
    "银行卡被盗刷两万块": True,
    "再不处理就打12315找媒体曝光": True,
    "电梯困人三小时老人心脏病发作": True,
    "煤气费多收了十块钱": False,
    "急救包里少了一包棉签": False,
    "客服说你去12315告吧，我懒得告": False,
    "还好没烫伤": False,
}
"""Whether each is at least critical."""


def seen(case):
    """What is found of the case's signal: its certainties, `loss`, or `silent`."""
    text = normalise(case.text).text
    if case.signal == "amount":
        return {"loss"} if any(a.role == "loss" for a in find_amounts(text)) else {"silent"}
    mentions = shipped_signals().find(text, case.channel or None)
    found = {m.certainty for m in mentions if m.name == case.signal and m.guard is None}
    return found or {"silent"}


@pytest.fixture(scope="module")
def answers():
    return [(case, seen(case)) for case in CASES.itertuples()]


def missed(pairs):
    return [(case.text, case.expected, sorted(found)) for case, found in pairs]


def test_the_cases_cover_every_signal_both_ways():
    assert len(CASES) >= 150
    for name in NAMES:
        expected = CASES.loc[CASES["signal"] == name, "expected"]
        assert (expected == "silent").sum() >= 10 and (expected != "silent").sum() >= 20, name


@pytest.mark.parametrize("name", [*NAMES, "amount"])
def test_a_signal_fires_where_it_must_and_is_silent_where_it_must(answers, name):
    own = [(case, found) for case, found in answers if case.signal == name]
    wrong = [(case, found) for case, found in own
             if (case.expected == "silent") != (found == {"silent"})]  # fmt: skip
    assert len(wrong) <= 0.12 * len(own), missed(wrong)


def test_nearly_all_cases_are_seen_rightly_with_their_certainty(answers):
    wrong = [(case, found) for case, found in answers if case.expected not in found]
    assert len(wrong) <= 0.08 * len(answers), missed(wrong)


@pytest.mark.parametrize(("text", "grave"), PINNED.items(), ids=PINNED)
def test_the_managers_own_examples_are_graded_as_she_says(desk, text, grave):
    answer = desk.assess(text)
    assert (SEVERITIES.index(answer.grade) >= 2) is grave, (answer.grade, answer.reasons)


def graded_wrongly(desk, cases):
    """The cases that are graded too low, and too high."""
    cases = cases[(cases["at_least"] != "") | (cases["at_most"] != "")]
    complaints = [Complaint(text=case.text, channel=case.channel or None)
                  for case in cases.itertuples()]  # fmt: skip
    low, high = [], []
    for case, answer in zip(cases.itertuples(), desk.assess_many(complaints), strict=True):
        rank = SEVERITIES.index(answer.grade)
        if case.at_least and rank < SEVERITIES.index(case.at_least):
            low.append((case.text, answer.grade))
        if case.at_most and rank > SEVERITIES.index(case.at_most):
            high.append((case.text, answer.grade))
    return low, high, len(cases)


def test_the_cases_are_graded_high_and_low_enough(desk):
    low, high, n_cases = graded_wrongly(desk, CASES)
    assert len(low) <= 0.02 * n_cases, low
    assert len(high) <= 0.10 * n_cases, high


def test_most_unseen_cases_are_seen_and_graded_rightly(desk):
    pairs = [(case, seen(case)) for case in UNSEEN.itertuples()]
    silent = [(case, found) for case, found in pairs
              if (case.expected == "silent") != (found == {"silent"})]  # fmt: skip
    assert len(silent) <= 0.20 * len(pairs), missed(silent)
    low, high, n_cases = graded_wrongly(desk, UNSEEN)
    assert len(low) + len(high) <= 0.14 * n_cases, (low, high)
