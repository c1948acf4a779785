"""The tables as LaTeX become a paper: whatever names a store holds, the file compiles."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import names
from tests.support import planted

pytestmark = pytest.mark.e2e
Command = Callable[..., "subprocess.CompletedProcess[str]"]

PAPER = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=1cm]{geometry}
\usepackage{booktabs,textcomp,graphicx}
\begin{document}
\input{tables}
\end{document}
"""


@pytest.fixture(scope="module")
def compiler() -> list[str]:
    """A LaTeX that is installed, and its options; the test is skipped without one."""
    if shutil.which("pdflatex"):
        found = subprocess.run(
            ["kpsewhich", "booktabs.sty"], capture_output=True, text=True, check=False
        )
        if found.stdout.strip():
            return ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
        pytest.skip("pdflatex lacks booktabs.sty: apt-get install texlive-latex-recommended")
    if shutil.which("tectonic"):
        return ["tectonic", "--only-cached"]
    pytest.skip(
        "no LaTeX is installed: apt-get install texlive-latex-base texlive-latex-recommended"
    )


def compiled(text: str, folder: Path, compiler: list[str]) -> str:
    """Compile a paper that inputs the tables; the log."""
    (folder / "tables.tex").write_text(text, encoding="utf-8")
    (folder / "paper.tex").write_text(PAPER, encoding="utf-8")
    done = subprocess.run(
        [*compiler, "paper.tex"], cwd=folder, capture_output=True, timeout=300, check=False
    )
    log = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, log[-3000:]
    assert (folder / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert "Missing character" not in log, (
        "a letter that the font does not have is missing in print"
    )
    return log


@pytest.mark.parametrize("view", ["tasks", "wide"])
def test_tables_of_awkward_names_compile(
    view: str,
    command: Command,
    planted_store: Callable[..., str],
    tmp_path: Path,
    compiler: list[str],
) -> None:
    awkward = r"A&B 100% #1 {x} $5 ^~ \o_o\ <GPU>"
    runs = [
        *planted.grid(("mnist_mlp", "text_gen"), ("jax", "torch", "theano"), repetitions=3),
        *planted.grid(("mnist_mlp",), ("jax", "torch"), repetitions=6, device=awkward, kind="gpu"),
        *planted.grid(("imdb_bilstm",), ("jax", "torch"), repetitions=1, data_source="synthetic"),
        planted.run(backend="cntk", state=names.FAILED),
        planted.run(backend="tensorflow2", state=names.DIVERGED),
        planted.run(backend="torch", flags=names.FLAG_NOISY),
        planted.run("imdb_bilstm", "theano", flags=names.FLAG_UNSOUND),
        planted.run("imdb_bilstm", "cntk", flags=names.FLAG_DEVICE_DOUBTFUL),
    ]
    done = command(
        "-m",
        "analysis",
        "tables",
        "--view",
        view,
        "--format",
        "latex",
        MLFLOW_TRACKING_URI=planted_store(runs),
        KBB_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    assert r"A\&B 100\%" in done.stdout
    compiled(done.stdout, tmp_path, compiler)


def test_the_tables_of_2017_compile(
    command: Command, published_store: str, tmp_path: Path, compiler: list[str]
) -> None:
    done = command(
        "-m",
        "analysis",
        "tables",
        "--view",
        "2017",
        "--source",
        "published",
        "--format",
        "latex",
        MLFLOW_TRACKING_URI=published_store,
        KBB_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(r"\begin{table}") == 12
    log = compiled(done.stdout, tmp_path, compiler)
    assert "undefined" not in log
