"""The tables from planted runs: what is divided, what is bold, and which marks stand where."""

import math
from collections.abc import Callable

import pytest

from analysis.tables.model import Table
from experiments import names
from tests.support import planted
from tests.support.planted import five, run
from tests.support.tables import column

Make = Callable[..., str]
pytestmark = pytest.mark.usefixtures("kbb_cache")


def test_speed_is_the_median_over_runs_with_ratio_and_range(
    tables: Callable[..., dict[str, Table]],
) -> None:
    table = tables([*five("jax", 0.5), *five("torch", 1.05)])["mnist_mlp.speed"]
    cells = column(table)
    assert cells["jax"].value == 0.5
    assert (cells["jax"].low, cells["jax"].high) == (pytest.approx(0.49), pytest.approx(0.51))
    assert cells["jax"].coverage == 0.9375
    assert (cells["jax"].bold, cells["torch"].bold) == (True, False)
    assert cells["jax"].ratio is None
    assert cells["torch"].ratio == pytest.approx(2.1)
    assert cells["torch"].plain == "1.05 [1.03, 1.07] (2.1x)"
    assert any("93.75 %" in line for line in table.head)


def test_all_that_cannot_be_told_from_the_best_are_bold(
    tables: Callable[..., dict[str, Table]],
) -> None:
    cells = column(
        tables([*five("jax", 1.0), *five("torch", 1.02), *five("tensorflow2", 1.2)])[
            "mnist_mlp.speed"
        ]
    )
    assert [cells[name].bold for name in ("jax", "torch", "tensorflow2")] == [True, True, False]


@pytest.mark.parametrize(
    "other",
    [
        {"profile": "published"},
        {"data_source": "synthetic"},
        {"threads": 4},
        {"device": "Another CPU"},
        {"host": "another-host"},
        {"device": "NVIDIA H200", "kind": "gpu"},
    ],
)
def test_other_work_data_or_device_stands_apart_and_is_not_divided(
    tables: Callable[..., dict[str, Table]], other: dict[str, str]
) -> None:
    table = tables([*five("jax", 0.5), *five("torch", 5.0, **other)])["mnist_mlp.speed"]
    assert len(table.columns) == 2
    assert len({head.label for head in table.columns}) == 2, "labels tell the columns apart"
    assert not any(cell.ratio_text for line in table.cells for cell in line)
    assert all(sum(cell.bold for cell in line) == 1 for line in table.cells)


def test_keras_generations_stand_apart_and_say_which_backend_cannot_be_there(
    tables: Callable[..., dict[str, Table]],
) -> None:
    table = tables([*five("jax", 0.5), *five("theano", 0.7)])["mnist_mlp.speed"]
    assert column(table, "Keras 3")["theano"].absent == "n/a (Keras 2)"
    assert column(table, "Keras 2")["jax"].absent == "n/a (Keras 3)"


def test_hosts_of_one_gpu_share_a_column_and_of_processors_only_when_asked(
    tables: Callable[..., dict[str, Table]],
) -> None:
    gpus = [
        *five("jax", 0.5, device="NVIDIA H200", kind="gpu", host="a"),
        *five("torch", 1.0, device="NVIDIA H200", kind="gpu", host="b"),
    ]
    assert len(tables(gpus)["mnist_mlp.speed"].columns) == 1
    processors = [*five("jax", 0.5, host="a"), *five("torch", 1.0, host="b")]
    assert [head.label for head in tables(processors)["mnist_mlp.speed"].columns] == [
        "Planted 9000, a",
        "Planted 9000, b",
    ]
    assert len(tables(processors, pool_hosts=True)["mnist_mlp.speed"].columns) == 1


@pytest.mark.parametrize(
    ("state", "reason", "mark"),
    [
        (names.FAILED, "RuntimeError: boom", "failed"),
        (names.TIMEOUT, "timeouts.epoch=3600 s passed in epoch 2", ">3600 s"),
        (names.TIMEOUT, "", "n/a (timeout)"),
        (names.NOT_INSTALLED, "no interpreter", "n/a (not installed)"),
        (names.DEVICE_MISMATCH, "no GPU", "n/a (device mismatch)"),
        (names.ENGINE_UNSOUND, "gradients", "n/a (engine unsound)"),
        (names.KILLED, "SIGKILL", "n/a (killed)"),
    ],
)
def test_runs_without_a_figure_have_their_mark(
    tables: Callable[..., dict[str, Table]], state: str, reason: str, mark: str
) -> None:
    table = tables(
        [*five("jax", 0.5), run(backend="torch", state=state, tags={names.TAG_REASON: reason})]
    )
    assert column(table["mnist_mlp.speed"])["torch"].absent == mark
    assert column(table["mnist_mlp.quality"])["torch"].absent == mark


def test_what_was_never_run_is_a_dash(tables: Callable[..., dict[str, Table]]) -> None:
    found = tables([*five("jax", 0.5), *five("torch", 5.0, "mnist_cnn")])
    assert column(found["mnist_mlp.speed"])["torch"].absent == "–"


def test_a_run_that_ended_before_its_protocol_was_settled_stands_with_its_like(
    tables: Callable[..., dict[str, Table]],
) -> None:
    early = run(backend="torch", state=names.NOT_INSTALLED)
    planted.unsettle(early)
    table = tables([*five("jax", 0.5), early])["mnist_mlp.speed"]
    assert len(table.columns) == 1
    assert column(table)["torch"].absent == "n/a (not installed)"


def test_diverged_runs_are_marked_and_win_nothing(tables: Callable[..., dict[str, Table]]) -> None:
    found = tables([*five("jax", 0.5), *five("torch", 0.1, state=names.DIVERGED)])
    cell = column(found["mnist_mlp.speed"])["torch"]
    assert (cell.marks, cell.bold, cell.text) == ("†", False, "0.100")
    assert column(found["mnist_mlp.speed"])["jax"].bold
    assert column(found["mnist_mlp.speed"])["jax"].ratio is None
    assert any(line.startswith("†") for line in found["mnist_mlp.speed"].legend())


def test_some_diverged_or_failed_runs_are_told_and_not_in_the_figure(
    tables: Callable[..., dict[str, Table]],
) -> None:
    odd = [
        run(backend="jax", seconds=9.0, state=names.DIVERGED, repetition=8),
        run(backend="jax", state=names.FAILED, repetition=9),
    ]
    table = tables([*five("jax", 0.5), *odd])["mnist_mlp.speed"]
    cell = column(table)["jax"]
    assert (cell.value, cell.marks, cell.runs) == (0.5, "†", 5)
    assert cell.notes == ("1 of 7 diverged", "1 of 7 failed")
    assert any("1 of 7 failed" in note for note in table.notes)


@pytest.mark.parametrize(
    ("flag", "mark"), [(names.FLAG_UNSOUND, "‡"), (names.FLAG_DEVICE_DOUBTFUL, "?")]
)
def test_doubtful_figures_are_marked_and_win_nothing(
    tables: Callable[..., dict[str, Table]], flag: str, mark: str
) -> None:
    cells = column(tables([*five("jax", 0.5), *five("torch", 0.1, flags=flag)])["mnist_mlp.speed"])
    assert cells["torch"].marks == mark
    assert not cells["torch"].bold
    assert cells["torch"].ratio == pytest.approx(0.2)
    assert cells["jax"].bold


def test_sound_runs_stand_alone_where_there_are_unsound_ones_too(
    tables: Callable[..., dict[str, Table]],
) -> None:
    runs = [
        *five("jax", 0.5),
        run(backend="jax", seconds=0.01, flags=names.FLAG_UNSOUND, repetition=7),
    ]
    cell = column(tables(runs)["mnist_mlp.speed"])["jax"]
    assert (cell.value, cell.marks) == (0.5, "")
    assert any("left out" in note for note in cell.notes)


def test_noise_is_flagged_and_never_repaired(tables: Callable[..., dict[str, Table]]) -> None:
    runs = [*five("jax", 0.5), run(backend="jax", seconds=0.9, flags="noisy,loaded", repetition=7)]
    found = tables(runs)
    cell = column(found["mnist_mlp.speed"])["jax"]
    assert cell.runs == 6
    assert (cell.marks, cell.notes) == ("~", ("1 of 6 loaded", "1 of 6 noisy"))
    assert column(found["mnist_mlp.quality"])["jax"].marks == "", (
        "noise says nothing about accuracy"
    )


def test_one_run_makes_no_accuracy_bold_but_the_lowest_time(
    tables: Callable[..., dict[str, Table]],
) -> None:
    found = tables(
        [
            run(backend="jax", seconds=0.5, accuracy=0.99),
            run(backend="torch", seconds=1.0, accuracy=0.9),
            run(backend="tensorflow2", seconds=0.51),
        ]
    )
    assert not any(cell.bold for cell in column(found["mnist_mlp.quality"]).values())
    assert [
        column(found["mnist_mlp.speed"])[name].bold for name in ("jax", "tensorflow2", "torch")
    ] == [True, True, False]
    assert "too few to show a difference" in " ".join(found["mnist_mlp.speed"].head)
    assert "nothing is bold" in " ".join(found["mnist_mlp.quality"].head)


def test_synthetic_data_say_so_in_the_head_and_win_no_accuracy(
    tables: Callable[..., dict[str, Table]],
) -> None:
    found = tables(
        [*five("jax", 0.5, data_source="synthetic"), *five("torch", 1.0, data_source="synthetic")]
    )
    for table in found.values():
        if table.task:
            assert table.head[0].startswith("SYNTHETIC data")
    assert not any(cell.bold for cell in column(found["mnist_mlp.quality"]).values())


def test_a_loss_is_best_when_it_is_lowest(tables: Callable[..., dict[str, Table]]) -> None:
    runs = [
        run(
            "text_gen", backend, repetition=number, metrics={"last_val_loss": loss + 0.001 * number}
        )
        for backend, loss in (("jax", 1.4), ("torch", 1.6))
        for number in range(1, 6)
    ]
    table = tables(runs)["text_gen.quality"]
    assert table.heading == "Loss"
    assert [column(table)[name].bold for name in ("jax", "torch")] == [True, False]


def test_one_epoch_has_no_steady_time(tables: Callable[..., dict[str, Table]]) -> None:
    single = run(epochs=1)
    del single.metrics["steady_train_seconds"]
    assert column(tables([single])["mnist_mlp.speed"])["jax"].absent == "n/a (one epoch)"


def test_missing_and_infinite_figures_are_gaps(tables: Callable[..., dict[str, Table]]) -> None:
    cells = column(
        tables(
            [
                *five("jax", 0.5),
                run(backend="torch", metrics={"steady_train_seconds": math.nan}),
                run(backend="tensorflow2", metrics={"steady_train_seconds": math.inf}),
            ]
        )["mnist_mlp.speed"]
    )
    assert cells["torch"].absent == "–"
    assert cells["tensorflow2"].absent == "–"
    assert cells["jax"].bold


def test_a_cell_says_how_many_of_its_runs_lack_the_figure(
    tables: Callable[..., dict[str, Table]],
) -> None:
    odd = run(backend="jax", repetition=6, metrics={"steady_train_seconds": math.nan})
    found = tables([*five("jax", 0.5), odd])
    speed = column(found["mnist_mlp.speed"])["jax"]
    assert (speed.runs, speed.notes) == (5, ("1 of 6 without this figure",))
    assert column(found["mnist_mlp.quality"])["jax"].notes == ()


def test_runs_that_still_go_on_are_not_counted(tables: Callable[..., dict[str, Table]]) -> None:
    going = run(backend="jax", seconds=0.001, repetition=9)
    going.status = "RUNNING"
    assert column(tables([*five("jax", 0.5), going])["mnist_mlp.speed"])["jax"].runs == 5
