"""The README's results are those of the committed journals, and the journals are read whole."""

import re
from pathlib import Path

import pytest

from analysis.readme import BEGIN, END, check_block, newest_results, write_block
from analysis.store.journals import frame_of
from experiments.errors import ConfigError, FailedRun
from experiments.sharing.pack import read

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "2026-11-cpu-quick"
pytestmark = pytest.mark.golden


def copy(tmp_path: Path, text: str) -> Path:
    """A README beside a copy of the committed results."""
    folder = tmp_path / "results" / RESULTS.name
    folder.mkdir(parents=True)
    for path in RESULTS.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")
    return readme


def test_the_readme_shows_the_newest_committed_results() -> None:
    check_block(ROOT / "README.md", newest_results())


def test_the_first_edition_has_36_cells_of_five_runs() -> None:
    frame = frame_of(read(RESULTS).values())
    counts = frame.groupby(["task", "backend"]).size()
    assert len(counts) == 36
    assert set(counts) == {5}
    assert set(frame["state"]) == {"finished"}
    assert frame["work_id"].nunique() == 6
    assert frame["steady_train_seconds"].notna().all()


def test_a_changed_figure_is_noticed(tmp_path: Path) -> None:
    readme = copy(tmp_path, f"# Title\n\n{BEGIN}\n{END}\n\nafter\n")
    results = tmp_path / "results" / RESULTS.name
    write_block(readme, results)
    check_block(readme, results)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("# Title\n")
    assert text.endswith("\nafter\n")
    figure = re.search(r"\*\*(\d+\.\d+)\*\*", text)
    assert figure is not None
    readme.write_text(text.replace(figure[1], "0.001", 1), encoding="utf-8")
    with pytest.raises(FailedRun, match="README.md: not up to date"):
        check_block(readme, results)


@pytest.mark.parametrize(
    "text",
    [
        "# No markers\n",
        f"{BEGIN}\n",
        f"{END}\n{BEGIN}\n",
        f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n",
        "<!-- other:begin -->\n<!-- other:end -->\n",
    ],
)
def test_a_readme_without_one_pair_of_markers_is_refused_and_stays(
    tmp_path: Path, text: str
) -> None:
    readme = copy(tmp_path, text)
    with pytest.raises(ConfigError, match="needs one <!-- results:begin -->"):
        write_block(readme, tmp_path / "results" / RESULTS.name)
    assert readme.read_text(encoding="utf-8") == text
