"""Time and peak memory of training one head on reviews: python -m tests.bench_training [--rows …].

Up to 59,901 rows are reviews of `../shared/data/reviews.csv.gz`; beyond that they are drawn again
with noise: of each copy one to three characters are swapped with the next one or dropped. Every
size runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table

from triage.features import prepare
from triage.model import fit_space

REVIEWS = Path(__file__).parents[2] / "shared" / "data" / "reviews.csv.gz"
SEED = 0


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, nargs="+", default=[10_000, 60_000, 100_000])
    asked.add_argument("--reviews", type=Path, default=REVIEWS)
    asked.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(measure(options.reviews, options.one)))
        return
    table = Table(title="one head, label of reviews")
    columns = ("rows", "seconds", "CPU seconds", "µs a row", "peak MB", "held-out macro-F1")
    for heading in columns:
        table.add_column(heading, justify="right")
    for rows in track(options.rows, "training"):
        table.add_row(*shown(alone(options.reviews, rows)))
    Console().print(table)


def alone(reviews, rows):
    """Measure in a new process, so that peak memory is its own."""
    command = [sys.executable, "-m", __spec__.name, "--reviews", reviews, "--one", str(rows)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def shown(found):
    return (
        f"{found['rows']:,}", f"{found['seconds']:.1f}", f"{found['cpu']:.1f}",
        f"{found['seconds'] / found['rows'] * 1e6:.0f}", f"{found['peak_mb']:.0f}",
        f"{found['macro_f1']:.4f}",
    )  # fmt: skip


def measure(reviews, rows):
    """Fit features and one head; the texts are made and prepared before the clock starts."""
    texts, labels, groups = sample(reviews, rows)
    begin, cpu = time.perf_counter(), time.process_time()
    space = fit_space(texts, {"nature": labels}, groups, progress=say(begin))
    head = space.heads["nature"]
    return {
        "rows": rows,
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "macro_f1": macro_f1(head.held_out_codes_, head.held_out_.argmax(axis=1)),
    }


def say(begin):
    """Tell on standard error when each stage begins."""
    return lambda stage: sys.stderr.write(f"{time.perf_counter() - begin:7.1f} s  {stage}\n")


def macro_f1(truth, answer):
    from sklearn.metrics import f1_score

    return float(f1_score(truth, answer, average="macro"))


def sample(reviews, rows):
    """Return prepared texts, labels and groups: a copy stays with the review it was made from."""
    frame = pd.read_csv(reviews).dropna(subset="text")
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(frame))
    at = np.concatenate([order, rng.integers(0, len(frame), max(0, rows - len(frame)))])[:rows]
    texts = frame["text"].to_numpy()[at]
    made = [text if nth < len(frame) else noisy(text, rng) for nth, text in enumerate(texts)]
    labels = frame["label"].astype(str).to_numpy(dtype=object)[at]
    return [prepare(text).text for text in made], labels, at


def noisy(text, rng):
    """Swap or drop one to three characters."""
    chars = list(text)
    for _ in range(rng.integers(1, 4)):
        if len(chars) > 2:
            at = int(rng.integers(0, len(chars) - 1))
            if rng.random() < 0.5:
                chars[at], chars[at + 1] = chars[at + 1], chars[at]
            else:
                del chars[at]
    return "".join(chars)


def peak_mb():
    """Peak resident memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
