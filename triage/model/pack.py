"""A fitted model as plain facts and arrays, and what scores by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from triage.features.packed import known_characters, packed_features, packed_vectors
from triage.model.nature import NatureHead
from triage.model.ordered import OrderedHead
from triage.model.space import FeatureSpace, Head, TriageModel
from triage.scoring import Packed, Scorer


def scorer_of(model: TriageModel) -> Scorer:
    """Return what scores by the arrays of a fitted model."""
    return Scorer(pack(model), lambda: model)


def pack(model: TriageModel) -> Packed:
    """Turn a fitted model into facts and arrays."""
    arrays = packed_vectors(model.spaces[0].features.vectors)
    spaces = []
    for nth, space in enumerate(model.spaces):
        outputs = [*space.heads.values(), *([space.topic] if space.topic else [])]
        coefficients = np.column_stack([head.coef_ for head in outputs])
        own = packed_features(space.features, coefficients)
        arrays |= {f"{nth}.{name}": array for name, array in own.items()}
        spaces.append(_facts(space, outputs))
    return Packed({"thresholds": model.thresholds, "spaces": spaces}, arrays)


def _facts(space: FeatureSpace, outputs: list[Any]) -> dict[str, Any]:
    features = space.features
    intercepts = [np.atleast_1d(head.intercept_) for head in outputs]
    ends = np.cumsum([len(part) for part in intercepts]).tolist()
    begins = [0, *ends]
    topic = space.topic if "nature" in space.heads else None
    return {
        "heads": {
            name: {"columns": [begin, end], **_calibration(head)}
            for (name, head), begin, end in zip(space.heads.items(), begins, ends, strict=False)
        },
        "intercepts": np.concatenate(intercepts).tolist(),
        "off_topic": [begins[len(space.heads)], topic.threshold_] if topic else None,
        "n_words": features.n_words_,
        "characters": known_characters(features),
        "segmenter": features.segmenter_.__getstate__(),
        "signals": {"digest": features.signals_digest_,
                    "definitions": features.definitions_.model_dump(mode="json")},
        "encoded": features.encoder_ is not None,
    }  # fmt: skip


def _calibration(head: Head) -> dict[str, Any]:
    """Return what turns a head's margins into probabilities."""
    if isinstance(head, NatureHead):
        return {"labels": [str(c) for c in head.classes_], "temperature": head.temperature_}
    if isinstance(head, OrderedHead):
        return {"labels": list(head.steps), "slope": head.slope_.tolist(),
                "offset": head.offset_.tolist()}  # fmt: skip
    return {"labels": []}
