"""The answer: one grid per place, generations in one row, ratios, ties, geometric mean, caveats,
widths.
"""

from collections.abc import Callable

import pytest

from analysis.readme import fastest
from analysis.store.read import read
from analysis.store.select import Choice
from analysis.tables.answer import MEAN, Answer, answers, answers_by_device, document
from analysis.tables.render import render
from analysis.tables.terminal import text
from experiments import names
from experiments.tracking.work import work_id
from tests.support import planted
from tests.support.planted import five, run

Make = Callable[..., str]
pytestmark = pytest.mark.usefixtures("kbb_cache")


@pytest.fixture
def answer(planted_store: Make) -> Callable[..., list[Answer]]:
    def make(runs: list[planted.Planted], **choice: object) -> list[Answer]:
        return answers(read(planted_store(runs)).frame, Choice(**choice))  # type: ignore[arg-type]

    return make


def test_two_generations_share_a_row_and_are_divided(answer: Callable[..., list[Answer]]) -> None:
    (found,) = answer([*five("theano", 1.0), *five("jax", 0.5)])
    assert [column.key for column in found.speed.columns] == ["theano", "jax"]
    (row,) = found.speed.cells
    assert row[0].ratio == pytest.approx(2.0)
    assert row[0].ratio_text == "2.0x"
    assert row[1].bold
    assert row[1].ratio is None


def test_a_tie_is_bold_and_keeps_its_ratio(answer: Callable[..., list[Answer]]) -> None:
    (found,) = answer([*five("tensorflow", 1.0, noise=0.02), *five("jax", 1.001, noise=0.02)])
    (row,) = found.speed.cells
    assert all(cell.bold for cell in row)
    assert sum(cell.ratio is not None for cell in row) == 1
    assert "x=" in text([found])


def test_the_last_row_is_the_geometric_mean_over_complete_cases(
    answer: Callable[..., list[Answer]],
) -> None:
    runs = [
        *five("theano", 2.0, "mnist_mlp"),
        *five("jax", 1.0, "mnist_mlp"),
        *five("theano", 1.0, "mnist_cnn"),
        *five("jax", 8.0, "mnist_cnn"),
        *five("jax", 1.0, "text_gen"),  # Theano lacks this one, so it does not count
    ]
    (found,) = answer(runs)
    assert found.speed.rows[-1].key == MEAN
    assert "2 tasks" in found.speed.rows[-1].label
    theano, jax = found.speed.cells[-1]
    assert theano.value == pytest.approx(2**0.5)
    assert jax.value == pytest.approx(8**0.5)
    assert theano.bold
    assert not jax.bold


def test_other_data_stands_in_a_row_of_its_own_and_is_not_divided(
    answer: Callable[..., list[Answer]],
) -> None:
    synthetic = [
        run(backend="theano", seconds=9.0, repetition=n, data_source="synthetic")
        for n in range(1, 6)
    ]
    (found,) = answer([*synthetic, *five("jax", 0.5)])
    assert len(found.speed.cells) == 2
    assert all(cell.ratio is None for row in found.speed.cells for cell in row)
    assert any("SYNTHETIC data (MLP" in line for line in found.caveats)


@pytest.mark.parametrize("change", [{"threads": 1}, {"device": "Other CPU"}, {"host": "elsewhere"}])
def test_each_place_has_a_grid_of_its_own(
    answer: Callable[..., list[Answer]], change: dict[str, object]
) -> None:
    other = [run(backend="jax", seconds=2.0, repetition=n, **change) for n in range(1, 6)]  # type: ignore[arg-type]
    found = answer([*five("jax", 0.5), *other])
    assert len(found) == 2
    assert len({one.place for one in found}) == 2


def test_one_run_a_cell_is_an_answer_with_its_doubt(answer: Callable[..., list[Answer]]) -> None:
    (found,) = answer([run(backend="theano", seconds=1.0), run(backend="jax", seconds=0.5)])
    assert found.speed.cells[0][0].ratio_text == "2.0x"
    assert found.caveats[0].startswith("First look, 1 run per cell")


def test_a_backend_that_could_not_be_installed_keeps_its_column(
    answer: Callable[..., list[Answer]],
) -> None:
    missing = run(
        backend="theano", state=names.NOT_INSTALLED, tags={"reason": "no Python 3.6 here"}
    )
    for key in (names.TAG_PROTOCOL, names.TAG_DATA_DIGEST, names.TAG_DEVICE_NAME):
        del missing.tags[key]
    for key in (names.PARAM_THREADS, names.PARAM_EPOCHS, names.PARAM_TRAIN_SAMPLES):
        del missing.params[key]
    (found,) = answer([missing, *five("jax", 0.5), *five("torch", 1.0)])
    assert found.speed.cell(found.speed.rows[0].key, "theano").absent == "n/a (not installed)"
    assert any("Theano 1 not installed (no Python 3.6 here)" in line for line in found.caveats)
    assert found.speed.cell(found.speed.rows[0].key, "torch").ratio == pytest.approx(2.0)


def test_it_fits_100_columns_and_40_lines(answer: Callable[..., list[Answer]]) -> None:
    (found,) = answer(planted.grid(repetitions=5))
    shown = text([found]).splitlines()
    assert len(found.speed.columns) == 6
    assert len(shown) <= 40
    assert max(map(len, shown)) <= 100
    assert 1 <= len(found.caveats) <= 6
    assert "\x1b" not in text([found])
    assert "\x1b[1m" in text([found], colour=True)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_wraps_columns_and_loses_none(
    answer: Callable[..., list[Answer]], width: int
) -> None:
    (found,) = answer(planted.grid(repetitions=3))
    shown = text([found], width=width)
    grids = shown.partition("\n- ")[0].splitlines()
    assert max(map(len, shown.splitlines()[2:])) <= width
    for column in found.speed.columns:
        assert any(column.label.partition(" (")[0] in line for line in grids)


def test_forty_backends_wrap(answer: Callable[..., list[Answer]]) -> None:
    runs = []
    for n in range(40):
        one = run(backend="jax", seconds=1.0 + n / 10)
        one.params[names.PARAM_BACKEND] = one.tags[names.PARAM_BACKEND] = f"variant_{n:02d}"
        runs.append(one)
    (found,) = answer(runs)
    shown = text([found])
    assert max(map(len, shown.splitlines())) <= 100
    assert all(f"variant_{n:02d}" in shown for n in range(40))


@pytest.mark.parametrize("form", ["md", "latex", "csv", "json", "html"])
def test_every_format_has_the_answer(answer: Callable[..., list[Answer]], form: str) -> None:
    shown = render(document(answer([*five("theano", 1.0), *five("jax", 0.5)])), form)
    assert "0.500" in shown or "0.5" in shown
    assert "Theano" in shown or "theano" in shown


def test_devices_stand_across_for_one_backend(planted_store: Make) -> None:
    slow = [run(seconds=4.0, repetition=n, device="Old GPU", kind="gpu") for n in range(1, 6)]
    fast = [run(seconds=1.0, repetition=n, device="New GPU", kind="gpu") for n in range(1, 6)]
    frame = read(planted_store([*slow, *fast])).frame
    (found,) = answers_by_device(frame, Choice())
    assert sorted(column.label for column in found.speed.columns) == ["New GPU", "Old GPU"]
    ratios = [cell.ratio for cell in found.speed.cells[0] if cell.ratio is not None]
    assert ratios == [pytest.approx(4.0)]


def test_published_results_of_2017_are_shown_by_device(published_store: str) -> None:
    frame = read(published_store).frame
    chosen = frame[frame["backend"] == "theano"]
    (found,) = answers_by_device(chosen, Choice(source="published"))
    assert any("1080 Ti" in column.label for column in found.speed.columns)
    assert found.caveats[0].startswith("Published results: one run per cell")


# Work ------------------------------------------------------------------------------------------

PARAMS = {
    "run.epochs": "4",
    "run.batch": "128",
    "run.train_samples": "6000",
    "run.validation_samples": "2000",
    "run.shuffle": "true",
    "hp.model.units": "64",
    "hp.model.implementation": "2",
    "run.threads": "2",
    "setting.x": "1",
}


@pytest.mark.parametrize(
    "change",
    [
        {"hp.model.implementation": "1"},
        {"run.threads": "1"},
        {"setting.x": "2"},
        {"version.keras": "3"},
    ],
)
def test_stack_and_place_do_not_change_the_work(change: dict[str, str]) -> None:
    assert work_id("t", "d", {**PARAMS, **change}) == work_id("t", "d", PARAMS)


@pytest.mark.parametrize(
    "change",
    [
        {"hp.model.units": "65"},
        {"run.epochs": "5"},
        {"run.batch": "64"},
        {"run.train_samples": "1"},
        {"run.validation_samples": "1"},
        {"run.shuffle": "false"},
        {"hp.optimizer.learning_rate": "0.1"},
        {"hp.model.recurrent_activation": "sigmoid"},
    ],
)
def test_what_is_computed_changes_the_work(change: dict[str, str]) -> None:
    assert work_id("t", "d", {**PARAMS, **change}) != work_id("t", "d", PARAMS)


def test_task_and_data_change_the_work_and_a_run_without_them_has_none() -> None:
    assert (
        len({work_id("t", "d", PARAMS), work_id("u", "d", PARAMS), work_id("t", "e", PARAMS)}) == 3
    )
    assert work_id("t", "", PARAMS) is None
    assert work_id("t", "d", {"run.epochs": "4"}) is None


# Odd stores ------------------------------------------------------------------------------------


def test_one_backend_alone_is_an_answer(answer: Callable[..., list[Answer]]) -> None:
    (found,) = answer([*five("jax", 0.5), *five("jax", 2.0, "mnist_cnn")])
    assert [cell.text for row in found.speed.cells[:2] for cell in row] == ["0.500", "2.00"]
    assert all(cell.ratio is None for row in found.speed.cells for cell in row)


def test_runs_that_are_still_running_are_counted_and_not_shown(
    answer: Callable[..., list[Answer]],
) -> None:
    going = run(backend="torch", repetition=2, state="finished", metrics={})
    going.status = "RUNNING"
    del going.tags[names.TAG_STATE]
    (found,) = answer([going, *five("jax", 0.5)])
    assert any("1 run still running or lost" in line for line in found.caveats)
    assert found.speed.cells[0][1].value is None


def test_a_column_of_failed_cells_says_so(answer: Callable[..., list[Answer]]) -> None:
    reason = {"reason": "RuntimeError: boom"}
    failed = [run(backend="torch", repetition=n, state=names.FAILED, tags=reason) for n in (1, 2)]
    (found,) = answer([*failed, *five("jax", 0.5)])
    assert found.speed.cells[0][1].absent == "failed"
    assert any("PyTorch 2 failed (RuntimeError: boom)" in line for line in found.caveats)


def test_a_hostile_reason_stays_one_short_line(answer: Callable[..., list[Answer]]) -> None:
    reason = {"reason": "x" * 5000 + "\n\x1b[31mred"}
    failed = run(backend="torch", state=names.FAILED, tags=reason)
    (found,) = answer([failed, *five("jax", 0.5)])
    shown = text([found])
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_the_sentence_names_the_fastest_and_puts_ties_last(
    answer: Callable[..., list[Answer]],
) -> None:
    (found,) = answer(
        [
            *five("tensorflow", 1.0, "text_gen", noise=0.02),
            *five("jax", 1.001, "text_gen", noise=0.02),
            *five("tensorflow", 2.0, "mnist_mlp"),
            *five("jax", 1.0, "mnist_mlp"),
            *five("tensorflow", 2.0, "mnist_cnn"),
            *five("jax", 1.0, "mnist_cnn"),
        ]
    )
    assert fastest(found) == (
        "Fastest here: **JAX** (MLP on MNIST, CNN on MNIST); no difference shown between "
        "**TensorFlow and JAX** (Text generation via LSTM)."
    )


def test_the_sentence_does_not_claim_anything_for_failed_runs(
    answer: Callable[..., list[Answer]],
) -> None:
    (found,) = answer([run(backend="jax", state=names.NOT_INSTALLED)])
    assert fastest(found) == "No run counts yet."
