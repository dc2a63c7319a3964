"""How the base model's held-out figures grow with the corpus: python -m tests.learning_curve.

Parts of the training rows are drawn by a hash of their group, so that each holds the one before;
the held-out part stays the same.
"""

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import cohen_kappa_score, f1_score

from tests.conftest import Quiet
from train import BASE_TEST_SHARE, load
from triage.cli import TrainingOptions
from triage.data import REVIEWS, split
from triage.features import prepare_tickets
from triage.model import fit_space
from triage.schema import HEADS, ORDERED_HEADS
from triage.settings import load_settings

SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)


def main() -> None:
    tickets, _ = load(TrainingOptions(feedback=False), load_settings(), Quiet())
    test = split(tickets, test_share=BASE_TEST_SHARE)
    frame = tickets.frame
    held_out = frame[test & (frame["industry"] != REVIEWS)]
    asked = prepare_tickets(held_out)
    order = np.random.default_rng(0).permutation(np.unique(frame["group"][~test]))
    table = Table(title=f"{len(held_out)} held-out complaints")
    for heading in ("training rows", "nature macro-F1", "severity kappa", "emotion kappa"):
        table.add_column(heading, justify="right")
    for share in track(SHARES, "learning curve"):
        own = frame[~test & frame["group"].isin(order[: int(share * len(order))])]
        space = fit_space(
            prepare_tickets(own, forgetful=True),
            {head: own[head].to_numpy(dtype=object) for head in HEADS},
            own["group"].to_numpy(),
            domains=own["industry"].to_numpy(),
            target=(own["industry"] != REVIEWS).to_numpy(),
        )
        matrix = space.features.transform(asked)
        figures = []
        for head in HEADS:
            answer, truth = space.heads[head].predict(matrix), held_out[head]
            steps = ORDERED_HEADS.get(head)
            figures.append(
                cohen_kappa_score(
                    [steps.index(step) for step in truth],
                    [steps.index(step) for step in answer],
                    weights="quadratic",
                )
                if steps
                else f1_score(truth, answer, average="macro")
            )
        table.add_row(str(len(own)), *(f"{figure:.3f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
