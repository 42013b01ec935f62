"""The notebooks run from start to end and reach the lesson's figures and the steps of its sheets."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOK, LOOP = EXAMPLES / "lesson5.ipynb", EXAMPLES / "training_loop.ipynb"
LESSON = {"mean": 1.1238, "EmbeddingDot": 1.1314, "EmbeddingDotBias": 0.8004, "EmbeddingNet": 0.7890, "learner": 0.7648}
"""Final validation MSE; the net trains for the first three of the lesson's epochs."""


def run(path: Path, folder: Path, last: str) -> dict:
    """Run a notebook in a folder, with a last line of its own, and return what that prints as JSON."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"import json; print(json.dumps({last}))"))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    errors = [out for cell in notebook.cells for out in cell.get("outputs", ()) if out.get("name") == "stderr"]
    assert errors == []
    (output,) = notebook.cells[-1].outputs
    return json.loads(output.text)


@pytest.mark.slow
def test_the_notebook_reaches_the_lessons_figures(tmp_path: Path) -> None:
    assert run(NOTEBOOK, tmp_path, "final_mse") == pytest.approx(LESSON, rel=0.015)


@pytest.mark.slow
def test_the_loops_of_the_notebook_make_the_steps_of_the_sheets(tmp_path: Path) -> None:
    """What it says besides: momentum bears twice the rate, and annealing calms Adam."""
    found = run(LOOP, tmp_path, "[differs, table.to_dict(), annealed, float(abs(one_way - row['de/da']))]")
    differs, rmse, annealed, one_way = found
    assert len(differs) == 11
    assert max(differs.values()) < 1e-8
    assert rmse["0.0001"] == pytest.approx({"sgd": 17.714, "momentum": 17.352}, abs=1e-3)
    assert rmse["0.0002"] == pytest.approx({"sgd": 24.206, "momentum": 16.840}, abs=1e-3)
    assert annealed["with annealing"] < 0.05 < 1 < annealed["without"]
    assert one_way == pytest.approx(0.01 * 64**2)


def test_the_notebook_leaves_the_workbook_that_its_reader_changed(tmp_path: Path) -> None:
    first = next(cell for cell in nbformat.read(LOOP, as_version=4).cells if cell.cell_type == "code")
    (tmp_path / "gradient_descent.xlsx").write_bytes(b"mine")
    subprocess.run([sys.executable, "-c", first.source], cwd=tmp_path, check=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("gradient_descent.xlsx", b"mine")]


@pytest.mark.parametrize(("path", "n_pictures"), [(NOTEBOOK, 3), (LOOP, 4)])
def test_the_notebook_is_executed_and_small(path: Path, n_pictures: int) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum("image/png" in out.get("data", {}) for cell in code for out in cell.outputs) == n_pictures
    assert path.stat().st_size < 1_000_000
