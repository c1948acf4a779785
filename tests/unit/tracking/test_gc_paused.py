"""Collecting garbage is paused where there is none, and comes back."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.tracking.collector import gc_paused

ROOT = Path(__file__).resolve().parents[3]
LASTING = """
import gc
from experiments.tracking.collector import gc_paused

class Node:
    pass

def cycle():
    node = Node()
    node.itself = node

before = gc.get_freeze_count()  # not 0 in every version
with gc_paused(lasting=True):
    cycle()
frozen = gc.get_freeze_count()
with gc_paused(lasting=True):
    cycle()
print(gc.isenabled(), frozen > before + 1000, gc.get_freeze_count() == frozen, gc.isenabled())
print(sum(isinstance(found, Node) for found in gc.get_objects()), gc.collect() > 0)
print(sum(isinstance(found, Node) for found in gc.get_objects()))
"""


def test_it_is_off_within_and_on_again_whatever_happens() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), gc_paused():
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()  # the inner block found it off
        1 / 0  # noqa: B018
    assert gc.isenabled()


def test_what_lasts_is_left_out_once_and_later_garbage_is_found() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LASTING], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert done.stdout.split() == ["True"] * 4 + ["1", "True", "0"]
