"""Every notebook runs from top to bottom on a fresh model, and is kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_the_notebooks_are_those_that_the_readme_promises():
    assert [path.stem for path in NOTEBOOKS] == [
        "1-misclassified", "2-label-audit", "3-what-changed", "4-emotion-and-severity"
    ]  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_in_prose_what_each_part_shows(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].source.startswith("# ")
    sections = [cell.source for cell in cells if cell.source.startswith("## ")]
    assert len(sections) >= 5
    assert all(len(section.split("\n\n", 1)[1]) > 80 for section in sections)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(home, path):
    notebook = nbformat.read(path, as_version=4)
    done = NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    outputs = [out for cell in done.cells for out in cell.get("outputs", [])]
    shown = [out["data"] for out in outputs if "data" in out]
    assert any("image/png" in data for data in shown)
    assert sum("<table" in data.get("text/html", "") for data in shown) >= 3
    assert [out["text"] for out in outputs if out.get("name") == "stderr"] == []
