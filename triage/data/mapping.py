"""The mapping file of an export: what its headings, sheets and label values mean.

It is written for the user on the first import, corrected by hand, and used again from then on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from triage.data.columns import COLUMNS, LABEL_ALIASES, as_text
from triage.data.encoding import decode
from triage.data.labels import IGNORED
from triage.data.sql import is_url, url_stem
from triage.data.taxonomy import MAX_LEVELS
from triage.schema import HEADS, ORDERED_HEADS, ConfigError
from triage.settings import check_config, parse_yaml

ENDING = ".mapping.yaml"
"""What the names of mapping files end in."""

_FILE_ENDING = re.compile(
    r"\.(?:csv|tsv|txt|xlsx|xls|xlsm|xlsb|ods|parquet)(?:\.gz)?$", re.IGNORECASE
)
_WIDE_COLON = re.compile(r"^[^#\n]*：", re.MULTILINE)


def _word(value: Any) -> Any:
    """Return a number as text: YAML reads a bare 3 as one, and a bare no as false."""
    if isinstance(value, bool):
        raise ValueError("write it in quotes, as YAML reads no, off, yes and on as false or true")
    return as_text(value) if isinstance(value, int | float) else value


def _absent(value: Any) -> Any:
    """Take a section without entries as an empty one."""
    return {} if value is None else value


Word = Annotated[str, BeforeValidator(_word), Field(min_length=1)]
Section = BeforeValidator(_absent)


class FileMapping(BaseModel):
    """What the headings, sheets and label values of an export mean.

    A field that `columns` leaves out is still recognised by its heading; one that it gives null is
    not used. A label value that is null is not understood yet; one that is `ignore` is no label.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Annotated[dict[Word, Word | None], Section] = Field({}, description="Field → heading.")
    sheets: tuple[Word, ...] | None = Field(None, description="Excel sheets to read.")
    taxonomy: tuple[Word, ...] | None = Field(
        None,
        description="Headings of nature's levels, the upper one first; empty: do not join levels.",
        max_length=MAX_LEVELS,
    )
    labels: Annotated[dict[str, Annotated[dict[Word, Word | None], Section]], Section] = Field(
        {}, description="Head → value in the export → our label."
    )

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: dict[str, str | None]) -> dict[str, str | None]:
        for column in columns:
            if column not in COLUMNS:
                raise ValueError(f"{column!r} is none of {', '.join(COLUMNS)}")
        headings = [heading for heading in columns.values() if heading]
        if twice := {heading for heading in headings if headings.count(heading) > 1}:
            raise ValueError(f"{', '.join(sorted(twice))} stands for two fields: keep one")
        return columns

    @field_validator("labels")
    @classmethod
    def _check_labels(
        cls, labels: dict[str, dict[str, str | None]]
    ) -> dict[str, dict[str, str | None]]:
        for head, values in labels.items():
            if head not in HEADS:
                raise ValueError(f"{head!r} is none of {', '.join(HEADS)}")
            steps, aliases = ORDERED_HEADS.get(head), LABEL_ALIASES.get(head, {})
            for value, label in values.items():
                if steps and label and label not in (*steps, *aliases, IGNORED):
                    raise ValueError(
                        f"{head}.{value} is {label!r}: it must be one of {', '.join(steps)}, or "
                        f"{IGNORED} where it is no label"
                    )
        return labels

    @model_validator(mode="after")
    def _check_nature(self) -> FileMapping:
        if self.taxonomy and self.columns.get("nature"):
            raise ValueError("columns.nature and taxonomy both say what the nature is: keep one")
        if self.taxonomy is not None and len(self.taxonomy) == 1:
            raise ValueError("taxonomy has one level: write it as columns.nature instead")
        return self

    @property
    def headings(self) -> dict[str, str]:
        """Heading → field, of the fields that are used."""
        return {heading: column for column, heading in self.columns.items() if heading}

    @property
    def unwanted(self) -> set[str]:
        """Fields that are not to be used."""
        return {column for column, heading in self.columns.items() if heading is None}


def source_stem(source: Path | str, query: str | None = None) -> str:
    """Return what the files about an export are called.

    Examples
    --------
    >>> source_stem(Path("data/2025.上半年.csv.gz"))
    '2025.上半年'
    """
    if isinstance(source, str) and is_url(source):
        return url_stem(source, query)
    return _FILE_ENDING.sub("", Path(source).name) or Path(source).name


def mapping_path(source: Path | str, query: str | None = None, folder: Path = Path()) -> Path:
    """Return where the mapping file of an export stands: in the working directory."""
    return folder / f"{source_stem(source, query)}{ENDING}"


def find_mapping(
    source: Path | str, query: str | None = None, folder: Path = Path()
) -> FileMapping | None:
    """Read the mapping file of an export if one stands in the working directory.

    Raises
    ------
    ConfigError
        If it breaks its rules; see `read_mapping`.
    """
    path = mapping_path(source, query, folder)
    return read_mapping(path) if path.is_file() else None


def read_mapping(path: Path) -> FileMapping:
    """Read a mapping file.

    Parameters
    ----------
    path : Path
        A YAML file in UTF-8 or GB18030.

    Returns
    -------
    FileMapping

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML, repeats a key or breaks a rule; one line a fault.
    """
    try:
        text = decode(path.read_bytes())[0]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}. Name a file that exists.") from error
    try:
        return check_config(_absent(parse_yaml(text, path)), path, FileMapping)
    except ConfigError as error:
        if wide := _WIDE_COLON.search(text):
            line = text.count("\n", 0, wide.start()) + 1
            raise ConfigError(
                f"{error}\n{path}: line {line} has the wide colon ： where YAML asks for : and a "
                "blank."
            ) from error
        raise


def merge_labels(
    plan: FileMapping | None, labels: Mapping[str, Mapping[str, str]] | None
) -> dict[str, dict[str, str | None]]:
    """Lay label values given on the command line over those of the mapping file."""
    merged = {head: dict(values) for head, values in (plan.labels if plan else {}).items()}
    for head, values in (labels or {}).items():
        merged.setdefault(head, {}).update(values)
    return merged
