"""The analyst's face for notebooks: what was misjudged, why, what was alike, what has changed.

Every function reads a registered model and the masked tickets that stand in its folder, and returns
a DataFrame or a chart. `version` is always the promoted model if absent.
"""

from triage.analysis.changes import Compared, compare
from triage.analysis.charts import readable, styled
from triage.analysis.confusions import Confusion, confusion
from triage.analysis.corrected import to_correct
from triage.analysis.labels import audit_labels
from triage.analysis.likeness import similar
from triage.analysis.mistakes import errors
from triage.analysis.reviews import sentiment
from triage.analysis.slices import slices
from triage.analysis.small import small_model
from triage.analysis.words import Highlight, explain, highlight

__all__ = [
    "Compared",
    "Confusion",
    "Highlight",
    "audit_labels",
    "compare",
    "confusion",
    "errors",
    "explain",
    "highlight",
    "readable",
    "sentiment",
    "similar",
    "slices",
    "small_model",
    "styled",
    "to_correct",
]
