"""The views beside the default: 2017, summary and wide."""

import math
from collections.abc import Callable

import pytest

from analysis.store import read
from analysis.store.select import Choice
from analysis.tables.build import build
from analysis.tables.model import Table
from experiments import names
from experiments.errors import UserError
from tests.support.planted import five, run
from tests.support.tables import column

Make = Callable[..., str]


pytestmark = pytest.mark.usefixtures("kbb_cache")


def test_the_view_of_2017_is_the_mean_epoch_with_one_decimal(
    tables: Callable[..., dict[str, Table]],
) -> None:
    table = tables(
        [*five("jax", 10.0, "mnist_cnn"), *five("torch", 25.0, "mnist_cnn")], view="2017"
    )["mnist_cnn.speed"]
    assert column(table)["jax"].plain == "12.0"
    assert column(table)["torch"].plain == "30.0 (2.5x)"


def test_a_profile_or_sweep_that_is_not_there_lists_what_is(planted_store: Make) -> None:
    frame = read.read(planted_store([run(sweep="s1")])).frame
    assert build(frame, Choice(profile="quick", sweep="s1")).tables
    with pytest.raises(UserError, match="no run has profile=tuned; there are: quick"):
        build(frame, Choice(profile="tuned"))
    with pytest.raises(UserError, match="no run has sweep_id=s2; there are: s1"):
        build(frame, Choice(sweep="s2"))
    with pytest.raises(UserError, match="import-published"):
        build(frame, Choice(source="published"))


def test_the_summary_is_a_geometric_mean_over_complete_tasks(
    tables: Callable[..., dict[str, Table]],
) -> None:
    runs = [
        *five("jax", 1.0, "mnist_mlp"),
        *five("torch", 2.0, "mnist_mlp"),
        *five("jax", 8.0, "mnist_cnn"),
        *five("torch", 4.0, "mnist_cnn"),
        *five("jax", 1.0, "text_gen"),
        *five("torch", 9.0, "text_gen", state=names.FAILED),
    ]
    (table,) = [table for key, table in tables(runs).items() if key.startswith("summary")]
    cells = column(table)
    assert cells["jax"].value == pytest.approx(math.sqrt(2))
    assert cells["torch"].value == pytest.approx(math.sqrt(2))
    assert "over the 2 tasks that all 2 backends finished: mnist_cnn, mnist_mlp" in table.label


def test_the_wide_view_holds_every_figure_with_units(
    tables: Callable[..., dict[str, Table]],
) -> None:
    runs = [
        *five(
            "jax", 0.5, metrics={"energy_joules": 5000.0, "cost": 0.02, "peak_device_bytes": 2e9}
        ),
        *five("torch", 1.0),
    ]
    (table,) = tables(runs, view="wide").values()
    places = {head.key: number for number, head in enumerate(table.columns)}
    jax, torch = (
        [
            cells[places[key]]
            for key in ("throughput", "memory", "energy", "device_memory", "compile")
        ]
        for cells in table.cells
    )
    assert [cell.text for cell in jax] == ["12000", "500", "5.00", "2000", "0.700"]
    assert torch[2].absent == "–"
    assert [table.columns[places[key]].unit for key in ("memory", "energy", "gemm_share")] == [
        "MB",
        "kJ",
        "%",
    ]
    # 3 x 2 x (784 x 512 + 512 x 512 + 512 x 10) operations a sample, 12,000 samples/s, 100 GFLOP/s.
    assert table.cells[0][places["gemm_share"]].value == pytest.approx(
        100 * 6 * (784 * 512 + 512 * 512 + 5120) * 12_000 / 100e9
    )
    assert [cells[places["speed"]].bold for cells in table.cells] == [True, False]
