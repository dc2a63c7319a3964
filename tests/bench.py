"""Measure speed on one named input: the texts of data/complaints.csv of 30 to 140 characters.

python -m tests.bench                       # make bench
NAIVE=path/naive_stack.py python -m tests.bench   # beside a plain stack, in the same run
"""

import importlib.util
import os
import platform
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from triage import Complaint, Triage
from triage.privacy import find_personal, mask_spans
from triage.schema import SHANGHAI, Signal
from triage.signals import disputed_amount
from triage.text import normalise

ROOT = Path(__file__).parents[1]
SINGLE, BATCH, PEER = 400, 1_000, 150


def texts():
    column = pd.read_csv(ROOT / "data" / "complaints.csv")["text"]
    return column[column.str.len().between(30, 140)].tolist()


def lap(call, items):
    """Seconds of each call."""
    laps = []
    for item in items:
        start = time.perf_counter()
        call(item)
        laps.append(time.perf_counter() - start)
    return np.array(laps)


def naive_stack(path):
    """The plain stack at a path, fitted on the corpus."""
    spec = importlib.util.spec_from_file_location("naive_stack", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.NaiveStack().fit(pd.read_csv(ROOT / "data" / "complaints.csv"))


def rooms(desk, sample):
    """Median microseconds of what is done beside the model, for one text."""
    read = [normalise(text) for text in sample]
    reading = [desk.read(text) for text in sample]
    predicted = desk.model.predict([r.prepared.text for r in reading])
    steps = {
        "normalise": lap(normalise, sample),
        "find personal data": lap(lambda found: find_personal(found.text), read),
        "find signals": lap(lambda found: desk.signals.find(found.text), read),
        "features and heads": lap(lambda r: desk.model.predict([r.prepared.text]), reading),
    }
    assert len(predicted.sentiment) == len(sample)
    return {name: float(np.median(laps)) * 1e6 for name, laps in steps.items()}


def rules(desk, sample):
    """Median microseconds of signals, masking, policy and deadlines for 70-character texts."""
    read = [(text, normalise(text), desk.assess(text)) for text in sample if 60 <= len(text) <= 80]
    facts = Complaint(text="坏了", channel="12315", received_at=datetime.now(SHANGHAI))
    policy = desk.policy

    def work(item):
        text, normalised, known = item
        mask_spans(text, [normalised.original(p.start, p.end)
                          for p in find_personal(normalised.text)])  # fmt: skip
        mentions = desk.signals.find(normalised.text, facts.channel)
        signals = [Signal(m.name, m.certainty, None, None) for m in mentions if m.guard is None]
        amount = disputed_amount(normalised.text)
        grade, _ = policy.grade(known.severity.distribution, signals, amount and amount.value)
        nature, emotion = known.nature.label, known.emotion.label
        policy.route(nature, grade, emotion, None, signals)
        policy.decide(known.nature.probability, desk.model.thresholds, grade)
        clocks = policy.deadlines(facts, grade, nature, emotion, signals)
        policy.handling(facts, grade, nature, emotion, signals, clocks)

    return float(np.median(lap(work, read))) * 1e6


def main():
    start = time.perf_counter()
    desk = Triage.load()
    desk.assess("热身")
    loaded = time.perf_counter() - start
    sample = texts()
    single = lap(desk.assess, sample[:SINGLE])
    start = time.perf_counter()
    desk.assess_many(sample[:BATCH])
    batch = BATCH / (time.perf_counter() - start)
    table = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, {len(sample)} texts")
    for heading in ("figure", "ours", "naive stack", "ratio"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    peer = os.environ.get("NAIVE")
    laps = lap(naive_stack(peer).score, sample[:PEER]) if peer else None

    def row(name, ours, theirs=None, ratio=None):
        table.add_row(name, ours, theirs or "-", f"{ratio:.1f} x" if ratio else "-")

    for share in (50, 99):
        own = np.percentile(single, share) * 1e3
        other = np.percentile(laps, share) * 1e3 if laps is not None else None
        row(f"assess, p{share}, ms", f"{own:.2f}", other and f"{other:.2f}", other and other / own)
    other = 1 / laps.mean() if laps is not None else None
    row("assess_many, texts/s", f"{batch:.0f}", other and f"{other:.0f}", other and batch / other)
    row("load to first answer, s", f"{loaded:.2f}")
    for name, micros in rooms(desk, sample[:SINGLE]).items():
        row(f"  {name}, median µs", f"{micros:.0f}")
    micros = rules(desk, sample)
    row("signals, masking, policy, deadlines of 70 characters, median µs", f"{micros:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
