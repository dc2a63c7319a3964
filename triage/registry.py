"""Model folders: save, verify, load, promote, roll back.

`models/<version>/` holds one model with a manifest of digests; `models/current` names the promoted
one. A folder is verified before anything in it is unpickled.
"""

from __future__ import annotations

import hmac
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from triage.schema import SHANGHAI, ArtifactError, UsageError
from triage.scoring import ARRAYS_FILE, Packed, read_arrays, write_arrays

MODEL_FILE = "model.joblib"
MANIFEST_FILE = "manifest.json"
METRICS_FILE = "metrics.json"
ERRORS_FILE = "errors.csv"
TICKETS_FILE = "tickets.parquet"
COMPARISON_FILE = "comparison.json"
REPORT_FILE = "report.html"
CURRENT_FILE = "current"
HISTORY_FILE = "promotions.jsonl"

FORMAT = 4
"""Version of the folder's layout."""

PINNED = ("scikit-learn", "numpy", "scipy")
"""Libraries whose major version must be the one that the model was saved with."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """One registered version."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def metrics(self) -> dict[str, Any]:
        """The full evaluation, empty if there is none."""
        file = self.path / METRICS_FILE
        found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        return found


class Registry:
    """The folder of models.

    Parameters
    ----------
    root : Path
        `models/`; made on the first save.
    key : str, optional
        Key of the HMAC-SHA256 over manifests; without it none is made or asked for.
    """

    def __init__(self, root: Path, key: str | None = None) -> None:
        self.root = root
        self.key = key

    def save(
        self,
        model: Any,
        *,
        facts: Mapping[str, Any],
        metrics: Mapping[str, Any],
        write_files: Callable[[Path, str], None] | None = None,
    ) -> ModelFolder:
        """Write a new version; it appears whole or not at all.

        Parameters
        ----------
        model : object
            The fitted model, kept by joblib, and a `TriageModel` as plain arrays too.
        facts : mapping
            What the manifest says beside digests: labels, data hash, row counts, seed, ….
        metrics : mapping
            Written to `metrics.json`.
        write_files : callable, optional
            Writes further files into the folder it is given, for the version it is told.
        """
        import joblib

        from triage.model import TriageModel, pack

        self.root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.root))
        final = _reserve(self.root)
        try:
            joblib.dump(model, draft / MODEL_FILE, compress=("zlib", 3))
            if isinstance(model, TriageModel):
                write_arrays(draft, pack(model))
            _write_json(draft / METRICS_FILE, metrics)
            if write_files:
                write_files(draft, final.name)
            manifest = {
                "format": FORMAT,
                "created_at": datetime.now(SHANGHAI).isoformat(timespec="seconds"),
                **facts,
                "libraries": library_versions(),
                "files": {file.name: file_digest(file) for file in sorted(draft.iterdir())},
            }
            if self.key:
                manifest["hmac"] = self._sign(manifest)
            _write_json(draft / MANIFEST_FILE, manifest)
            draft.chmod(0o755)
            draft.rename(final)
            return ModelFolder(final, manifest)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            final.rmdir()
            raise

    def versions(self) -> list[str]:
        """Return the registered versions, oldest first."""
        if not self.root.is_dir():
            return []
        names = [
            folder.name
            for folder in self.root.iterdir()
            if (folder / MANIFEST_FILE).is_file() and not folder.name.startswith(".")
        ]
        return sorted(names, key=lambda name: [part.zfill(12) for part in name.split("-")])

    def current(self) -> str | None:
        """Return the promoted version, or None."""
        file = self.root / CURRENT_FILE
        return file.read_text("utf-8", "replace").strip() or None if file.is_file() else None

    def folder(self, version: str | Path | None = None) -> ModelFolder:
        """Find a version by name or path, the promoted one if none is named.

        Raises
        ------
        ArtifactError
            If nothing is promoted, or the folder has no readable manifest.
        UsageError
            If there is no such version.
        """
        if version is None:
            version = self.current()
            if version is None:
                raise ArtifactError(
                    f"No model is promoted in {self.root}: train one with `python train.py`, or "
                    "promote one with `triage models promote VERSION`.",
                    code="no_model",
                )
            if not (self.root / version).is_dir():
                raise ArtifactError(
                    f"{self.root / CURRENT_FILE} names {version}, which is not there: promote "
                    "another with `triage models promote VERSION`.",
                    code="no_model",
                )
        path = self.root / version if (self.root / version).is_dir() else Path(version)
        if not path.is_dir():
            known = ", ".join(self.versions()) or "none yet"
            raise UsageError(
                f"There is no model {version} in {self.root}; registered: {known}.",
                code="model_unknown",
            )
        try:
            manifest = json.loads((path / MANIFEST_FILE).read_text("utf-8"))
            if not isinstance(manifest, dict):
                raise ValueError("it is no JSON object")
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{path} has no readable {MANIFEST_FILE} ({error}): train again.",
                code="artifact_invalid",
            ) from error
        return ModelFolder(path, manifest)

    def verify(self, version: str | Path | None = None) -> ModelFolder:
        """Check layout, signature, digests and library versions of a version.

        Raises
        ------
        ArtifactError
            At the first fault; the message says what to do.
        """
        found = self.folder(version)
        manifest = dict(found.manifest)
        if manifest.get("format") != FORMAT:
            raise ArtifactError(
                f"{found.path} has format {manifest.get('format')!r}, this triage reads {FORMAT}: "
                "train again."
            )
        self._check_signature(found, manifest)
        files = manifest.get("files")
        if not isinstance(files, dict) or MODEL_FILE not in files:
            raise ArtifactError(f"{found.path}: the manifest lists no {MODEL_FILE}: train again.")
        for name, digest in files.items():
            file = found.path / name
            if Path(name).name != name or not file.is_file():
                raise ArtifactError(
                    f"{found.path} lacks {name}: restore it from a backup, or roll back with "
                    "`triage models rollback`."
                )
            if file_digest(file) != digest:
                raise ArtifactError(
                    f"{file} was changed after training (its SHA-256 is not the manifest's): it is "
                    "not loaded. Restore the folder from a backup, train again, or roll back with "
                    "`triage models rollback`.",
                    code="artifact_tampered",
                )
        _check_libraries(found)
        return found

    def open(self, version: str | Path | None = None) -> tuple[Packed, ModelFolder]:
        """Verify a version, then map the arrays that score.

        Raises
        ------
        ArtifactError
            If the folder fails its checks or holds no arrays.
        """
        found = self.verify(version)
        try:
            return read_arrays(found.path), found
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"{found.path} has no readable {ARRAYS_FILE} ({error}): train again."
            ) from error

    def load(self, version: str | Path | None = None) -> tuple[Any, ModelFolder]:
        """Verify a version, then unpickle its model.

        Raises
        ------
        ArtifactError
            If the folder fails its checks or the file can't be unpickled.
        """
        import joblib

        found = self.verify(version)
        content = (found.path / MODEL_FILE).read_bytes()
        if sha256(content).hexdigest() != found.manifest["files"][MODEL_FILE]:
            raise ArtifactError(f"{found.path / MODEL_FILE} changed while it was read: try again.")
        try:
            return joblib.load(io.BytesIO(content)), found
        except ArtifactError:
            raise
        except Exception as error:  # unpickling may raise anything
            raise ArtifactError(
                f"{found.path / MODEL_FILE} can't be read by this triage "
                f"({type(error).__name__}: {error}): train again."
            ) from error

    def promote(self, version: str, reason: str = "") -> ModelFolder:
        """Verify a version and make it the current one, atomically.

        Raises
        ------
        ArtifactError
            If it fails its checks; the promoted one stays.
        """
        found = self.verify(version)
        if found.path.parent.resolve() != self.root.resolve():
            raise UsageError(f"{found.path} is not in {self.root}: copy the folder there first.")
        previous = self.current()
        line = {
            "at": datetime.now(SHANGHAI).isoformat(timespec="seconds"),
            "version": found.version,
            "previous": previous,
            "reason": reason,
        }
        _replace(self.root / CURRENT_FILE, f"{found.version}\n")
        with (self.root / HISTORY_FILE).open("a", encoding="utf-8") as history:
            history.write(json.dumps(line, ensure_ascii=False) + "\n")
        return found

    def rollback(self) -> ModelFolder:
        """Promote the version that was promoted before the current one.

        Raises
        ------
        UsageError
            If there was none.
        """
        current = self.current()
        trail: list[str] = []
        for entry in self._promotions():
            if entry.get("reason") == "rollback" and trail:
                trail.pop()
            elif not trail or trail[-1] != entry["version"]:
                trail.append(entry["version"])
        while trail and trail[-1] == current:
            trail.pop()
        if not trail:
            raise UsageError(
                "There is no earlier promoted model to roll back to: name one with "
                "`triage models promote VERSION`.",
                code="no_earlier_model",
            )
        return self.promote(trail[-1], reason="rollback")

    def _promotions(self) -> list[dict[str, Any]]:
        """Return the history of promotions; a line that was cut off by a crash is passed over."""
        file = self.root / HISTORY_FILE
        entries = []
        for line in file.read_text("utf-8", "replace").splitlines() if file.is_file() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "version" in entry:
                entries.append(entry)
        return entries

    def _sign(self, manifest: Mapping[str, Any]) -> str:
        """Return the HMAC-SHA256 of a manifest without its own `hmac`."""
        assert self.key
        body = {name: value for name, value in manifest.items() if name != "hmac"}
        content = json.dumps(body, sort_keys=True, ensure_ascii=False, default=str)
        return hmac.new(self.key.encode(), content.encode(), "sha256").hexdigest()

    def _check_signature(self, found: ModelFolder, manifest: Mapping[str, Any]) -> None:
        if not self.key:
            return
        given = str(manifest.get("hmac", ""))
        if not hmac.compare_digest(given, self._sign(manifest)):
            raise ArtifactError(
                f"{found.path}: the manifest is not signed with TRIAGE_MODEL_KEY: train again with "
                "the key set, or unset it if you trust the folder.",
                code="artifact_unsigned",
            )


def library_versions() -> dict[str, str]:
    """Return the installed versions of the pinned libraries and of triage itself."""
    return {name: metadata.version(name) for name in (*PINNED, "complaint-triage")}


def _check_libraries(found: ModelFolder) -> None:
    """Refuse a model saved with another major version of a pinned library."""
    saved = found.manifest.get("libraries", {})
    for name in PINNED:
        here = metadata.version(name)
        if saved.get(name, here).split(".")[0] != here.split(".")[0]:
            raise ArtifactError(
                f"{found.path} was saved with {name} {saved[name]}, but {here} is installed: run "
                f"`pip install {name}=={saved[name]}`, or train again.",
                code="library_mismatch",
            )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    hashed = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def _reserve(root: Path) -> Path:
    """Make the empty folder of the first free version of this minute; a draft takes its place."""
    stem = datetime.now(SHANGHAI).strftime("%Y%m%d-%H%M")
    number = 1
    while True:
        final = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            final.mkdir()
        except FileExistsError:
            number += 1
        else:
            return final


def _replace(path: Path, content: str) -> None:
    """Write a file so that readers see the old or the new content, never a part."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).chmod(0o644)
    Path(draft).replace(path)
