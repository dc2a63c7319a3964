"""The service's log: one JSON object a line, with no text, no value of a path or query, no key."""

import json
import logging
import traceback
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from triage.privacy import mask
from triage.schema import SHANGHAI

LOG = logging.getLogger("triage.service")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; facts come by `extra={"facts": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception is named with its place, never with its words."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, SHANGHAI).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        line |= getattr(record, "facts", None) or {"message": mask(record.getMessage())}
        if record.exc_info and record.exc_info[1]:
            line["error"] = describe(record.exc_info[1])
        return to_json(line, fallback=str).decode()


class PlainLines(JsonLines):
    """Formats the same facts for people who read along."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = json.loads(super().format(record))
        at, level = line.pop("at")[11:23], line.pop("level").upper()
        line.pop("logger")
        words = [line.pop("message")] if "message" in line else []
        words += [f"{name}={value}" for name, value in line.items() if value not in (None, "")]
        return " ".join((at, level, *words))


def describe(error: BaseException) -> str:
    """Return class and place of an error without its message, which may hold what was sent."""
    place = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.name}({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})" for frame in place]
    return " > ".join([*where[-8:], type(error).__name__])


def log_config(form: str) -> dict[str, Any]:
    """Return the configuration of all logs of a serving process, uvicorn's too.

    Parameters
    ----------
    form : {"json", "plain"}
        How a line looks.
    """
    lines = JsonLines if form == "json" else PlainLines
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{lines.__module__}.{lines.__name__}"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["out"], "level": "WARNING"},
        "loggers": {"triage": {"level": "INFO"}, "uvicorn": {"level": "WARNING"}},
    }
