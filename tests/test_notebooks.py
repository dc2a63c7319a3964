"""Every notebook runs from top to bottom on a fresh model, and is kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(home, path):
    notebook = nbformat.read(path, as_version=4)
    done = NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    tables = [out for cell in done.cells for out in cell.get("outputs", []) if "data" in out]
    assert any("image/png" in out["data"] for out in tables)
    assert sum("text/html" in out["data"] for out in tables) >= 3
