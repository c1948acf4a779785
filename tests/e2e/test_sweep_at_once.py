"""Several at once, with an engine that trains nothing: jobs that share a device, sweeps that share
a store.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.sweeping import Bench

TWO = "backend=jax,torch"


def _stat(pid: int) -> list[str]:
    """Fields 3 to 52 of /proc/PID/stat: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def test_two_processes_on_one_device_are_refused_before_anything_starts(bench: Bench) -> None:
    done = bench.run(TWO, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert "one per device at a time" in done.stdout
    assert not (bench.folder / "runs").exists()


def test_shared_runs_are_all_tagged(bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 3.0})
    done = bench.run(TWO, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "allow_sharing=true")
    assert done.returncode == 0, done.stdout
    assert all("shared" in run.data.tags["flags"].split(",") for run in bench.stored())
    bench.assert_whole()


def test_joblib_runs_all_and_a_dying_job_takes_no_other_along(bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 2.0})
    process = bench.start(
        "backend=jax,torch,tensorflow2",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "allow_sharing=true",
    )
    bench.until(process, "epoch 1/2")
    parents = {int(_stat(pid)[1]) for pid in bench.workers()}
    os.kill(parents.pop(), signal.SIGKILL)  # a job's own process, not its worker
    out, _ = process.communicate(timeout=200)
    assert "launching the" in out
    states = Counter(run.data.tags["state"] for run in bench.stored())
    assert states["finished"] >= 1
    assert sum(states.values()) == 3, out
    assert process.returncode == 1
    bench.assert_whole()
    assert (
        bench.run(
            "backend=jax,torch,tensorflow2",
            "hydra/launcher=joblib",
            "hydra.launcher.n_jobs=2",
            "allow_sharing=true",
        ).returncode
        == 0
    )
    assert set(bench.cells().values()) == {1}


def test_two_sweeps_at_once_lose_and_double_nothing(bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 3.0})  # long enough for a third to find them at it
    grids = [("backend=jax,torch", "repetitions=2"), ("backend=torch,tensorflow2", "repetitions=2")]
    processes = [bench.start(*grid) for grid in grids]
    bench.until(processes[0], "[0/4]")
    same = bench.run(*grids[0])
    assert same.returncode == 2
    assert "this sweep is already running in another process" in same.stdout
    for process in processes:
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0, out
    assert bench.cells() == {
        ("mnist_mlp", b, n): 1 for b in ("jax", "torch", "tensorflow2") for n in "12"
    }
    bench.assert_whole()
    assert len(bench.stored("sweep")) == 2


def test_two_sweeps_into_a_store_that_is_not_there_yet(new_bench: Callable[[str], Bench]) -> None:
    bench = new_bench("fresh")
    processes = [bench.start("backend=jax"), bench.start("backend=torch")]
    for process in processes:
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0, out
    assert bench.cells() == {("mnist_mlp", "jax", "1"): 1, ("mnist_mlp", "torch", "1"): 1}
    bench.assert_whole()
