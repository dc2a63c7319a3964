"""An audit of a sample of the tickets' labels."""

from __future__ import annotations

import warnings

from triage.analysis.opened import open_version
from triage.analysis.small import fitted_on, sample_of
from triage.audit import Audit, audit_tickets, held_out_answers


def audit_labels(n: int = 1_500, version: str | None = None) -> Audit:
    """Look for wrong labels in a sample of a model's tickets.

    A small model is trained on the sample in folds, so that each ticket is judged by one that saw
    neither it nor its near duplicates.

    Parameters
    ----------
    n : int
        Tickets, in whole near-duplicate groups; 1,500 take some 20 s.
    version : str, optional
        Whose training and held-out tickets; the promoted model's if absent.

    Returns
    -------
    Audit
        Tables `suspects, conflicts, small, alike, leaks, drift`; see `audit.Audit`.

    Raises
    ------
    UsageError
        If there is no such version, or too few tickets.
    ArtifactError
        If no model is promoted, or it can't be loaded.
    """
    opened = open_version(version)
    sample = sample_of(opened.tickets, n).reset_index(drop=True)
    space = fitted_on(opened, sample)
    answers, labels, known = held_out_answers(space.heads, len(sample))
    with warnings.catch_warnings():  # cleanlab's progress bars, of which none is shown
        warnings.filterwarnings("ignore", "IProgress not found")
        return audit_tickets(
            sample,
            answers,
            labels,
            known,
            names=opened.desk.policy.file.labels.model_dump(),
            segmenter=space.features.segmenter_,
        )
