"""The arrays of a model in its folder: one file of numbers, one that says where each stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ARRAYS_FILE = "scoring.bin"
FACTS_FILE = "scoring.json"

_ALIGNED = 64

Arrays = Mapping[str, NDArray[Any]]


class Packed(NamedTuple):
    """A fitted model as plain facts (JSON) and arrays; `model.pack` makes it, `Scorer` reads it."""

    facts: Mapping[str, Any]
    arrays: Arrays


def write_arrays(folder: Path, packed: Packed) -> None:
    """Write facts and arrays into a model's folder."""
    places, end = {}, 0
    with (folder / ARRAYS_FILE).open("wb") as file:
        for name, array in packed.arrays.items():
            begin = -(-end // _ALIGNED) * _ALIGNED
            file.write(bytes(begin - end))
            file.write(np.ascontiguousarray(array).data)
            places[name] = [array.dtype.str, array.shape, begin]
            end = begin + array.nbytes
    content = {"arrays": places, **packed.facts}
    (folder / FACTS_FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def read_arrays(folder: Path) -> Packed:
    """Read what `write_arrays` wrote; the arrays are mapped, not copied."""
    facts = json.loads((folder / FACTS_FILE).read_text("utf-8"))
    whole = np.memmap(folder / ARRAYS_FILE, np.uint8, "r").view(np.ndarray)
    arrays = {}
    for name, (kind, shape, begin) in facts.pop("arrays").items():
        size = np.dtype(kind).itemsize * int(np.prod(shape))
        arrays[name] = whole[begin : begin + size].view(kind).reshape(shape)
    return Packed(facts, arrays)
