"""What operations may change, from the environment, and how the business's own files are read."""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar

import platformdirs
import yaml
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from triage.schema import ConfigError, UsageError

try:
    from yaml import CSafeLoader as _SafeLoader  # eight times as fast
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


class Settings(BaseSettings):
    """Environment variables with the prefix `TRIAGE_`; the README lists them."""

    model_config = SettingsConfigDict(env_prefix="TRIAGE_", frozen=True, extra="ignore")

    home: Path | None = Field(None, description="Folder that holds models/ and data/.")
    policy: str = Field("default", description="Shipped policy name or path of a policy file.")
    store: SecretStr | None = Field(
        None, description="URL of the store; a SQLite file triage.db in the home folder if absent."
    )
    model_key: SecretStr | None = Field(None, description="Key of the HMAC over manifests.")
    max_text_chars: int = Field(100_000, ge=1, description="Longest text that is assessed.")
    max_batch: int = Field(1_000, ge=1, description="Most complaints in one batch request.")
    max_body_bytes: int = Field(8_000_000, ge=1_000, description="Largest request body.")
    max_pending: int = Field(64, ge=1, description="Most requests that wait or work at once.")
    time_budget_ms: int = Field(2_000, ge=10, description="Longest wait before work begins.")
    rate_per_minute: int = Field(0, ge=0, description="Requests a key and minute; 0 is no limit.")
    keys: Path | None = Field(None, description="File of API keys; keys.json in the home folder.")
    store_texts: Literal["masked", "original"] = Field("masked", description="How texts are kept.")
    store_sync: Literal["normal", "full"] = Field(
        "normal", description="SQLite's `synchronous`: full also outlives a loss of power."
    )
    retention_days: int = Field(1_095, ge=1, description="Age at which what is kept is deleted.")
    repeat_days: int = Field(90, ge=1, description="Age up to which earlier contacts count.")
    log_format: Literal["json", "plain"] = Field("json", description="Form of the service's log.")
    watch_seconds: float = Field(1.0, gt=0, description="How often a new model is looked for.")

    @property
    def models(self) -> Path:
        """The folder of model versions."""
        return home_folder(self.home) / "models"

    @property
    def store_url(self) -> str:
        """The URL of the store."""
        if self.store is not None:
            return self.store.get_secret_value()
        return f"sqlite:///{home_folder(self.home) / 'triage.db'}"

    @property
    def spool(self) -> Path:
        """The folder of answers that wait for the store."""
        return home_folder(self.home) / "spool"

    @property
    def keys_file(self) -> Path:
        """The file of API keys."""
        return self.keys or home_folder(self.home) / "keys.json"

    @property
    def data(self) -> Path:
        """The folder of the base corpus: the home's own, else the checkout's or the installed."""
        room = Path(__file__).parent
        places = (home_folder(self.home) / "data", room.parent / "data", room / "_data")
        return next((place for place in places if (place / "complaints.csv").exists()), places[0])


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    ConfigError
        If a variable has a value that can't be used; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "TRIAGE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(f"{name} is {first['input']!r}: {first['msg']}. Correct it.") from error


def home_folder(home: Path | None) -> Path:
    """Return the folder that holds `models/`: as set, the working directory, or the user's own.

    Raises
    ------
    UsageError
        If `home` is set but is no folder.
    """
    if home is not None:
        if not home.is_dir():
            raise UsageError(f"TRIAGE_HOME is {home}, which is no folder: create it or unset it.")
        return home
    return Path.cwd() if (Path.cwd() / "models").is_dir() else platformdirs.user_data_path("triage")


Config = TypeVar("Config", bound=BaseModel)


def read_config(path: Path, shape: type[Config]) -> tuple[Config, str]:
    """Read a YAML file that the business may change, strictly.

    Parameters
    ----------
    path : Path
        The file.
    shape : type of BaseModel
        What it must look like; its fields document themselves.

    Returns
    -------
    config : BaseModel
        The validated content.
    digest : str
        SHA-256 of the file, in hexadecimal.

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML, repeats a key or breaks a rule; one line a fault, each
        with file, field, value and what is asked for.
    """
    content, digest = read_yaml(path)
    return check_config(content, path, shape), digest


def read_yaml(path: Path) -> tuple[Any, str]:
    """Return the content of a YAML file and the SHA-256 of its bytes.

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML or repeats a key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}. Name a file that exists.") from error
    return parse_yaml(content, path), sha256(content).hexdigest()


def check_config(content: Any, path: Path, shape: type[Config]) -> Config:
    """Check what was read from a file.

    Raises
    ------
    ConfigError
        If it breaks a rule of its shape; one line a fault, each with `path`.
    """
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in _faults(error))) from error


def parse_yaml(content: bytes | str, path: Path) -> Any:
    """Parse YAML; a repeated key is refused.

    Raises
    ------
    ConfigError
        If it is no YAML; the message names `path`.
    """
    try:
        return yaml.load(content, _StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error


def _faults(error: ValidationError) -> list[str]:
    """Return one line for each fault of a validation."""
    lines = []
    for fault in error.errors():
        where = ".".join(map(str, fault["loc"]))
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "value_error":
            lines.append(f"{where}: {message}" if where else message)
        else:
            lines.append(f"{where} is {fault['input']!r}: {message}")
    return lines


class _StrictLoader(_SafeLoader):
    """Refuses a repeated key, of which PyYAML keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} can't be a key: write a word", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here a second time: keep one",
                    key_node.start_mark,
                )  # fmt: skip
            seen.add(key)
        return super().construct_mapping(node, deep)
