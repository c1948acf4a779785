"""Repetitions as blocks: each block has every cell once, in a random order that the stored seed gives again."""

import random
import secrets

from experiments.sweeps.grid import Cell, Job


def new_seed() -> int:
    """A fresh order seed, 0…2³²−1."""
    return secrets.randbits(32)


def blocks(cells: list[Cell], seed: int) -> list[list[Job]]:
    """Block b (1-based) holds repetition b of every cell that has so many, shuffled by (seed, b).

    A block's order depends on the seed and its own cells alone, so that more repetitions later leave the
    earlier blocks as they were.
    """
    found = []
    for block in range(1, max((cell.repetitions for cell in cells), default=0) + 1):
        jobs = [Job(cell, block) for cell in cells if cell.repetitions >= block]
        random.Random(f"{seed}/{block}").shuffle(jobs)
        found.append(jobs)
    return found
