"""Which model may take the promoted one's place: compared on rows that neither was trained on."""

from __future__ import annotations

import json

import pandas as pd

from triage.evaluate import Comparison, compare
from triage.features import prepare_tickets
from triage.model import TriageModel
from triage.policy import Policy
from triage.registry import COMPARISON_FILE, TICKETS_FILE, ModelFolder, Registry
from triage.schema import HEADS, ArtifactError, UsageError
from triage.scoring import Scorer

CHUNK = 2_000
"""Rows that are turned into features at once."""

Heads = TriageModel | Scorer
"""What answers texts: a fitted model, or its arrays."""

Candidate = tuple[str, TriageModel, pd.DataFrame]
"""A version, its model, and the tickets that it was trained and measured on."""


def common_rows(tickets: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """Return a challenger's held-out tickets that the champion was not trained on either.

    Parameters
    ----------
    tickets, champion : DataFrame
        What each was trained and measured on: see `evaluate.tickets_table`. A ticket counts as
        trained on if its key or its near-duplicate group stands among the training rows.
    """
    learned = champion[champion["side"] == "train"]
    seen = tickets["key"].isin(learned["key"]) | tickets["group"].isin(learned["group"])
    return tickets[(tickets["side"] == "test") & ~seen].reset_index(drop=True)


def likeliest(model: Heads, rows: pd.DataFrame) -> dict[str, list[str]]:
    """Return a model's answer to each row, head by head."""
    found: dict[str, list[str]] = {head: [] for head in HEADS}
    for begin in range(0, len(rows), CHUNK):
        answers = model.predict(prepare_tickets(rows.iloc[begin : begin + CHUNK]))
        for head in HEADS:
            found[head] += answers.likeliest(head)
    return found


def compare_models(
    champion: Candidate,
    challenger: Candidate,
    policy: Policy,
    rows: pd.DataFrame | None = None,
) -> Comparison:
    """Compare two models on the challenger's held-out tickets.

    Parameters
    ----------
    champion, challenger : (str, TriageModel, DataFrame)
        Version, model, and tickets of each.
    policy : Policy
        Names the protected classes, and the loss of recall that is still borne.
    rows : DataFrame, optional
        The rows to compare on; `common_rows` if absent.
    """
    if rows is None:
        rows = common_rows(challenger[2], champion[2])
    return compare(
        rows,
        (champion[0], likeliest(champion[1], rows)),
        (challenger[0], likeliest(challenger[1], rows)),
        protected=policy.file.protected_classes,
        margin=policy.file.protected_margin,
        names=policy.file.labels.model_dump(),
        trained=(_learned(champion[2]), _learned(challenger[2])),
    )


def _learned(tickets: pd.DataFrame) -> int:
    return int((tickets["side"] == "train").sum())


def candidate(registry: Registry, version: str | None = None) -> Candidate:
    """Load a version with its tickets, the promoted one if none is named.

    Raises
    ------
    ArtifactError
        If the folder fails its checks, or holds no tickets.
    """
    model, found = registry.load(version)
    return found.version, model, read_tickets(found)


def read_tickets(folder: ModelFolder) -> pd.DataFrame:
    """Read the tickets that a model was trained and measured on.

    Raises
    ------
    ArtifactError
        If the folder holds none.
    """
    file = folder.path / TICKETS_FILE
    if not file.is_file():
        raise ArtifactError(f"{folder.path} holds no {TICKETS_FILE}: train again.")
    return pd.read_parquet(file)


def compare_versions(
    registry: Registry, challenger: str, champion: str | None, policy: Policy
) -> Comparison:
    """Compare two registered versions; see `compare_models`."""
    return compare_models(candidate(registry, champion), candidate(registry, challenger), policy)


def promote(
    registry: Registry, version: str, policy: Policy, *, force: str | None = None
) -> tuple[ModelFolder, Comparison | None]:
    """Promote a version, unless it loses a protected class.

    Parameters
    ----------
    registry : Registry
    version : str
    policy : Policy
        Names the protected classes.
    force : str, optional
        Why it is promoted although the comparison refuses it or can't be made; kept in the
        history.

    Returns
    -------
    folder : ModelFolder
    comparison : Comparison or None
        With the model that it replaces; None where there is none to compare with.

    Raises
    ------
    ArtifactError
        With the code `promotion_refused` and the reasons in plain Chinese if it is refused; other
        codes if the folder fails its checks.
    UsageError
        If the reason is blank.
    """
    if force is not None and not force.strip():
        raise UsageError("--force needs a reason: add --reason 为什么.", code="reason_missing")
    found = registry.verify(version)
    comparison = None
    if registry.current() not in (None, found.version):
        try:
            comparison = challenge(registry, candidate(registry, found.version), policy)
        except ArtifactError:
            if force is None:
                raise
    if comparison and comparison.verdict == "refuse" and force is None:
        listed = "\n".join(f"  {sentence}" for sentence in comparison.sentences)
        raise ArtifactError(
            f"{found.version} 没有启用：\n{listed}\n"
            f"  仍要启用：triage models promote {found.version} --force --reason 为什么",
            code="promotion_refused",
        )
    verdict = comparison.verdict if comparison else "none"
    reason = f"forced: {force}" if force else f"comparison: {verdict}"
    return registry.promote(found.version, reason=reason), comparison


def challenge(registry: Registry, challenger: Candidate, policy: Policy) -> Comparison | None:
    """Compare a model with the promoted one.

    Returns
    -------
    Comparison or None
        None where no other model is promoted, or that one can't be loaded: it serves nobody, and
        there is nothing to lose.
    """
    if registry.current() in (None, challenger[0]):
        return None
    try:
        champion = candidate(registry)
    except ArtifactError:
        return None
    return compare_models(champion, challenger, policy)


def stored_comparison(folder: ModelFolder) -> Comparison | None:
    """Return the comparison that was made when a model was trained, None if there is none."""
    file = folder.path / COMPARISON_FILE
    return Comparison.of(json.loads(file.read_text("utf-8"))) if file.is_file() else None
