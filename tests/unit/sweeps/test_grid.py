"""The grid of a sweep and the order of its runs."""

from hypothesis import given
from hypothesis import strategies as st

from experiments.config.schema import RunConfig
from experiments.sweeps import grid
from experiments.sweeps.grid import Job
from tests.support.sweep_cells import cell


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=12), seed=st.integers(0, 2**32 - 1))
def test_a_block_has_every_cell_once(counts: list[int], seed: int) -> None:
    cells = [cell(RunConfig(), index, count) for index, count in enumerate(counts)]
    blocks = grid.blocks(cells, seed)
    assert len(blocks) == max(counts)
    for number, block in enumerate(blocks, start=1):
        assert {job.repetition for job in block} == {number}
        assert sorted(job.cell.index for job in block) == [
            c.index for c in cells if c.repetitions >= number
        ]


def test_the_stored_seed_gives_the_order_again_and_another_seed_another() -> None:
    cells = [cell(RunConfig(), index) for index in range(12)]
    first, again, other = grid.blocks(cells, 7), grid.blocks(cells, 7), grid.blocks(cells, 8)
    assert first == again
    assert first != other
    assert [job.cell.index for job in first[0]] != [job.cell.index for job in first[1]]
    assert [job.cell.index for job in first[0]] != list(range(12))


def test_more_repetitions_leave_earlier_blocks_as_they_were() -> None:
    few = grid.blocks([cell(RunConfig(), index, 2) for index in range(8)], 3)
    many = grid.blocks([cell(RunConfig(), index, 5) for index in range(8)], 3)
    assert [[job.cell.index for job in block] for block in few] == [
        [j.cell.index for j in b] for b in many[:2]
    ]


def test_a_job_is_its_cell_in_its_block(config: RunConfig) -> None:
    job = Job(cell(config, index=4), 2)
    made = job.config("sweep-1")
    assert (made.repetition, made.sweep.id, made.sweep.block, made.sweep.cell) == (
        2,
        "sweep-1",
        2,
        "004",
    )
    assert config.repetition == 1
    assert "sweep.cell='004'" in job.overrides("sweep-1")
