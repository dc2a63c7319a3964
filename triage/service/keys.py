"""The file of API keys: made, listed, revoked, found.

A key is 32 random bytes, so that its SHA-256 can be kept as it is: a slow hash protects secrets
that can be guessed, and nobody guesses 256 bits.
"""

import base64
import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from triage.schema import SHANGHAI, ConfigError, UsageError

Scope = Literal["assess", "review", "admin"]
"""What a key may do; `admin` may do everything."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
MOST_LIVE = 2
"""Live keys of one name: the old one and the new one while callers change over."""


class Key(BaseModel):
    """One key as it is kept: never the key itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    digest: str
    scopes: list[Scope]
    created_at: datetime
    revoked_at: datetime | None = None

    def may(self, scopes: tuple[Scope, ...]) -> bool:
        """Tell whether the key has one of the scopes, or any scope will do."""
        return not scopes or not {"admin", *scopes}.isdisjoint(self.scopes)


_KEYS = TypeAdapter(list[Key])
_NOBODY = sha256(secrets.token_bytes(32)).hexdigest()


def read_keys(path: Path) -> list[Key]:
    """Return all keys of a file, revoked ones too; none where there is no file.

    Raises
    ------
    ConfigError
        If the file can't be read or holds something else.
    """
    try:
        return _KEYS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path} holds no keys that can be read ({type(error).__name__}): restore it from a "
            "backup, or remove it and make new keys with `triage keys add`.",
            code="keys_invalid",
        ) from error


def add_key(path: Path, name: str, scopes: list[Scope]) -> tuple[str, Key]:
    """Make a key; it is returned once and can't be read again.

    Raises
    ------
    UsageError
        If the name has two live keys already.
    """
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    shown = f"tk_{secrets.token_hex(4)}_{secret}"
    key = Key(
        id=shown[3:11], name=name, digest=_digest(shown), scopes=scopes,
        created_at=datetime.now(SHANGHAI).replace(microsecond=0),
    )  # fmt: skip
    with _changing(path) as keys:
        if sum(other.name == name and not other.revoked_at for other in keys) >= MOST_LIVE:
            raise UsageError(
                f"{name} has {MOST_LIVE} live keys already: revoke one with `triage keys revoke`.",
                code="keys_too_many",
            )
        keys.append(key)
    return shown, key


def revoke_key(path: Path, key_id: str) -> Key:
    """Revoke a key; running services refuse it within seconds.

    Raises
    ------
    UsageError
        If no live key has that id.
    """
    with _changing(path) as keys:
        for at, key in enumerate(keys):
            if key.id == key_id and not key.revoked_at:
                now = datetime.now(SHANGHAI).replace(microsecond=0)
                keys[at] = key.model_copy(update={"revoked_at": now})
                return keys[at]
        raise UsageError(
            f"No live key has the id {key_id}: see `triage keys list`.", code="key_unknown"
        )


class Keyring:
    """The keys of a file, read again when it changes.

    Once a key was seen, keys are asked for until the process ends, even if the file goes away.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    look_seconds : float
        How often it is looked at.
    """

    def __init__(self, path: Path, look_seconds: float = 1.0) -> None:
        self.path = path
        self.look_seconds = look_seconds
        self.asked = False
        self._live: dict[str, Key] = {}
        self._stamp: tuple[int, int] | None = None
        self._looked = float("-inf")
        self.look()

    def look(self) -> None:
        """Read the file again if it has changed.

        Raises
        ------
        ConfigError
            If it can't be read; the keys that were read last go on.
        """
        self._looked = time.monotonic()
        stamp = _stamp(self.path)
        if stamp != self._stamp:
            self._stamp = stamp
            keys = read_keys(self.path)
            self.asked = self.asked or bool(keys)
            self._live = {key.id: key for key in keys if not key.revoked_at}

    @property
    def stale(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked > self.look_seconds

    def find(self, shown: str) -> Key | None:
        """Return the live key that was shown, in a time that does not depend on it."""
        key = self._live.get(shown[3:11])
        same = hmac.compare_digest(key.digest if key else _NOBODY, _digest(shown))
        return key if same else None


def live_keys(path: Path) -> list[Key]:
    """Return the keys that are not revoked."""
    return [key for key in read_keys(path) if not key.revoked_at]


def _digest(shown: str) -> str:
    return sha256(shown.encode("utf-8", "replace")).hexdigest()


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells one state of the file from the next; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


@contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """Read the keys and write them whole, for the owner only; readers see the old or the new."""
    keys = read_keys(path)
    yield keys
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        rows = [key.model_dump(mode="json") for key in keys]
        json.dump(rows, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(path)
