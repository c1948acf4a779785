"""The example notebook runs from its first cell to its last on a store with runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import planted

pytestmark = pytest.mark.e2e


def test_the_example_notebook_runs(
    root: Path, planted_store: Callable[..., str], tmp_path: Path
) -> None:
    uri = planted_store(planted.grid(("mnist_mlp", "text_gen"), ("jax", "torch"), repetitions=3))
    # In a process of its own: the kernel's client leaves sockets and warnings of its libraries
    # behind.
    script = (
        "import sys, nbformat; from nbclient import NotebookClient\n"
        "book = nbformat.read(sys.argv[1], as_version=4)\n"
        "where = {'metadata': {'path': sys.argv[2]}}\n"
        "NotebookClient(book, timeout=300, kernel_name='python3', resources=where).execute()\n"
        "nbformat.write(book, sys.argv[3])"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            str(root / "analysis" / "example.ipynb"),
            str(root / "analysis"),
            str(tmp_path / "done.ipynb"),
        ],
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": uri,
            "KBB_CACHE": str(tmp_path / "cache"),
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
            "JUPYTER_PREFER_ENV_PATH": "1",
        },
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads((tmp_path / "done.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [
        output
        for output in outputs
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    text = json.dumps(outputs)
    assert "protocol" in text
    assert "image/png" in text, "the learning curves"
    assert "Seconds per training epoch" in text, "the tables"


def test_the_notebook_is_kept_without_outputs(root: Path) -> None:
    cells = json.loads((root / "analysis" / "example.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
