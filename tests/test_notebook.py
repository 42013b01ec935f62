"""The notebook of the lesson runs from start to end and reaches the lesson's figures."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "lesson5.ipynb"
LESSON = {"mean": 1.1238, "EmbeddingDot": 1.1314, "EmbeddingDotBias": 0.8004, "EmbeddingNet": 0.7890, "learner": 0.7648}
"""Final validation MSE; the net trains for the first three of the lesson's epochs."""


@pytest.mark.slow
def test_the_notebook_reaches_the_lessons_figures(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import json; print(json.dumps(final_mse))"))
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    (output,) = notebook.cells[-1].outputs
    assert json.loads(output.text) == pytest.approx(LESSON, rel=0.015)
    errors = [out for cell in notebook.cells for out in cell.get("outputs", ()) if out.get("name") == "stderr"]
    assert errors == []


def test_the_notebook_is_executed_and_small() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum("image/png" in out.get("data", {}) for cell in code for out in cell.outputs) == 3
    assert NOTEBOOK.stat().st_size < 1_000_000
