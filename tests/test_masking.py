"""Masking measured on marked texts: one written beside the rules, one by another hand.

Each line is one complaint with marks `{kind|value}`. A piece counts as found when all its
characters (separators aside) are masked, and a `keep_` piece as kept when none is.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from triage.features import prepare
from triage.privacy import MASK, mask

MARK = re.compile(r"\{(\w+)\|([^{}]*)\}")
BARS = {
    "mobile": 0.99, "id": 0.99, "card": 0.99, "email": 0.99, "plate": 0.99, "landline": 0.99,
    "name": 0.90, "address": 0.90, "keep": 0.99,
}  # fmt: skip


def lines_of(name):
    path = Path(__file__).with_name(name)
    if not path.exists():
        pytest.skip(f"{name} is not written yet")
    lines = path.read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def pieces_of(line):
    """Return the text without its marks, and (kind, start, end) of each."""
    text, pieces, at = "", [], 0
    for mark in MARK.finditer(line):
        text += line[at : mark.start()]
        pieces.append((mark[1], len(text), len(text) + len(mark[2])))
        text, at = text + mark[2], mark.end()
    return text + line[at:], pieces


def is_right(kind, sent, masked):
    if kind.startswith("keep_"):
        return masked == sent
    pairs = zip(sent, masked, strict=True)
    return all(shown == MASK for char, shown in pairs if char.isalnum())


@pytest.mark.parametrize("name", ["masking.txt", "masking_unseen.txt"])
def test_personal_data_is_masked_and_business_numbers_stay(name):
    right, total = Counter(), Counter()
    for line in lines_of(name):
        text, pieces = pieces_of(line)
        masked = mask(text)
        for kind, start, end in pieces:
            good = is_right(kind, text[start:end], masked[start:end])
            for counted in {kind, kind.partition("_")[0]}:
                total[counted] += 1
                right[counted] += good
    shares = {kind: right[kind] / total[kind] for kind in sorted(total)}
    for kind, share in shares.items():
        print(f"{kind:<12} {right[kind]:>4} / {total[kind]:<4} {share:.3f}")
    assert {kind: share for kind, share in shares.items() if share < BARS.get(kind, 0)} == {}
    assert set(BARS) <= set(shares)


def test_marked_texts_are_read_alike_when_masked():
    for line in lines_of("masking.txt"):
        text, _ = pieces_of(line)
        once = mask(text)
        assert mask(once) == once
        assert prepare(text).text == prepare(once).text
