"""The order of the rooms, the owners of libraries, and the public face."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import triage

PACKAGE = Path(triage.__file__).parent

ROOMS = (
    "schema", "settings", "text", "privacy", "signals", "deadlines", "policy", "polarity", "data",
    "scoring", "features", "model", "evaluate", "audit", "registry", "store", "engine", "report",
    "monitor", "batch", "analysis", "service", "cli",
)  # fmt: skip
OWNERS = {
    "jieba": {"text"}, "rjieba": {"text"}, "snownlp": {"polarity"}, "cleanlab": {"audit"},
    "sqlalchemy": {"data", "store"}, "dask": {"batch"}, "fastapi": {"service"},
    "typer": {"cli"}, "alembic": {"store"},
}  # fmt: skip
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path):
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: name the room"
            yield node.module
            if node.module == "triage":
                yield from (f"triage.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path):
    room = room_of(path)
    assert room in ROOMS, f"{room} is no room of the house"
    for module in imports_of(path):
        if module.startswith("triage."):
            other = module.split(".")[1]
            assert other == room or ROOMS.index(other) < ROOMS.index(room), f"{room} → {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_imported_by_its_owner_only(path):
    for module in imports_of(path):
        owners = OWNERS.get(module.split(".")[0])
        assert owners is None or room_of(path) in owners, f"{room_of(path)} imports {module}"


def test_the_public_face_is_guarded():
    assert sorted(triage.__all__) == [
        "Assessment", "Complaint", "Triage", "TriageError", "__version__"
    ]  # fmt: skip
    assert triage.Triage.__module__ == "triage.engine.desk"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = triage.nothing


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("triage", {"sklearn", "jieba", "pandas", "snownlp"}),
     ("triage.cli", {"sklearn", "scipy", "jieba", "sqlalchemy", "fastapi", "matplotlib"})],
)  # fmt: skip
def test_importing_loads_no_heavy_library(module, heavy):
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_error_stands_in_the_drawn_tree():
    from triage import schema

    drawn = schema.__doc__
    classes = [
        thing for thing in vars(schema).values()
        if isinstance(thing, type) and issubclass(thing, schema.TriageError)
    ]  # fmt: skip
    assert len(classes) >= 6
    assert all(error.__name__ in drawn for error in classes)
