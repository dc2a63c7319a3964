"""The heads: nature, severity, emotion and sentiment, linear on one feature matrix, calibrated.

A `FeatureSpace` holds features and the heads that read them. A model has one space, or two where a
company's file lacks a label column: then the missing heads come from the base model with its own
features. Margins of held-out folds calibrate each head and set the decision thresholds.
"""

from triage.model.nature import NatureHead, fit_temperature
from triage.model.ordered import OrderedHead
from triage.model.pack import pack, scorer_of
from triage.model.plan import FOLDS, SEED, VECTOR_WEIGHTS, Plan, best_features, usual_plan
from triage.model.sentiment import PolarityHead
from triage.model.space import (
    NEVER,
    FeatureSpace,
    TriageModel,
    decision_thresholds,
    fit_space,
    precision_threshold,
)
from triage.model.topic import TopicHead
from triage.scoring import KNOWN_SHARE_FLOOR, Predictions

__all__ = [
    "FOLDS",
    "FeatureSpace",
    "KNOWN_SHARE_FLOOR",
    "NEVER",
    "NatureHead",
    "OrderedHead",
    "Plan",
    "PolarityHead",
    "Predictions",
    "SEED",
    "TopicHead",
    "TriageModel",
    "VECTOR_WEIGHTS",
    "best_features",
    "decision_thresholds",
    "fit_space",
    "fit_temperature",
    "pack",
    "precision_threshold",
    "scorer_of",
    "usual_plan",
]
