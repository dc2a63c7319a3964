"""Turn a template into a page, and put a page into a file."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from functools import cache
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.privacy import mask
from triage.report.glossary import Glossary
from triage.report.naming import Naming
from triage.schema import DataError

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, naming: Naming, **context: Any) -> str:
    """Render a page: everything is escaped, nothing is loaded from elsewhere.

    Parameters
    ----------
    template : str
        A file of `templates/`.
    naming : Naming
    **context
        What the template shows.

    Returns
    -------
    str
        HTML.
    """
    glossary = Glossary()
    return (
        _environment()
        .get_template(template)
        .render(naming=naming, glossary=glossary, term=glossary.term, note=glossary.note, **context)
    )


@cache
def _environment() -> Environment:
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("triage.report"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"masked": masked, "percent": percent, "figure": figure, "points": points,
                     "count": count, "signed": signed}  # fmt: skip
    return made


def masked(value: object) -> str:
    """Mask whatever a page is given to show; None is empty."""
    return "" if value is None else mask(str(value))


def percent(value: object, digits: int = 0) -> str:
    """Return a share in per cent, a dash for none."""
    return _written(value, f".{digits}%")


def figure(value: object) -> str:
    """Return a figure with three decimals, a dash for none."""
    return _written(value, ".3f")


def signed(value: object) -> str:
    """Return a difference with three decimals and a true minus sign."""
    return _written(value, "+.3f")


def points(value: float) -> str:
    """Return a difference of shares in whole points with a true minus sign."""
    return _written(round(100 * value) + 0.0, "+.0f")


def count(value: object) -> str:
    """Return a number with its thousands parted, a dash for none."""
    return _written(value, ",.0f")


def _written(value: object, form: str) -> str:
    """Write a number; what is none, or no number, is a dash."""
    if not isinstance(value, Real) or value != value:
        return "—"
    written = format(float(value), form)
    return written.replace("-", "−") if form.startswith("+") else written


def typed(word: str) -> str:
    """Return a word as it is typed in a shell: quoted only where it must be, Chinese never.

    Examples
    --------
    >>> typed("工单2025.xlsx"), typed("工单 2025.xlsx")
    ('工单2025.xlsx', "'工单 2025.xlsx'")
    """
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else shlex.quote(word)


def write_page(path: Path, html: str) -> None:
    """Write a page whole or not at all.

    Parameters
    ----------
    path : Path
        Where; an older page is replaced.
    html : str

    Raises
    ------
    DataError
        If the folder can't be written to; an older page stays as it was.
    """
    draft = None
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(html)
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except OSError as error:
        if draft:
            Path(draft).unlink(missing_ok=True)
        raise DataError(
            f"{path} can't be written ({error.strerror}): check the folder and its free space.",
            code="page_unwritable",
        ) from error
