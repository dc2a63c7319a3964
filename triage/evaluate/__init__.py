"""Metrics at three zooms, overall, per class and per slice, beside baselines.

Everything here works on truths and answers that are passed in; nothing is fitted but the baselines.
"""

from triage.evaluate.baselines import Baselines
from triage.evaluate.compare import Comparison, HeadComparison, ProtectedClass, compare
from triage.evaluate.metrics import (
    ClassMetrics,
    HeadMetrics,
    calibration_error,
    coverage_precision,
    evaluate_heads,
    head_metrics,
    length_slice,
    quadratic_kappa,
    sentiment_metrics,
)
from triage.evaluate.tables import errors_table, tickets_table

__all__ = [
    "Baselines",
    "ClassMetrics",
    "Comparison",
    "HeadComparison",
    "HeadMetrics",
    "ProtectedClass",
    "calibration_error",
    "compare",
    "coverage_precision",
    "errors_table",
    "evaluate_heads",
    "head_metrics",
    "length_slice",
    "quadratic_kappa",
    "sentiment_metrics",
    "tickets_table",
]
