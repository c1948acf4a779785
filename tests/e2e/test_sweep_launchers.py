"""Sweeps through a real Slurm and a real Ray of this machine's own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sweeping import ROOT, Bench

SCRIPT = ROOT / "tests" / "slurm" / "cluster.sh"
pytestmark = pytest.mark.xdist_group(
    "launchers"
)  # one Slurm on this machine, not one for each of pytest's processes
GRID = ("backend=jax,torch,tensorflow2", "hydra/launcher=slurm", "hydra.launcher.partition=main")


@pytest.fixture(scope="module")
def slurm() -> Iterator[str]:
    """SLURM_CONF of a cluster of one node on loopback."""
    missing = [
        name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None
    ]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("root starts munge and slurmd")
    folder = Path(tempfile.mkdtemp(prefix="kbb-slurm-"))  # munge takes no group-writable parents
    done = subprocess.run([SCRIPT, "start", folder], text=True, capture_output=True, check=False)
    try:
        assert done.returncode == 0, done.stderr
        yield str(folder / "slurm.conf")
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def queue(conf: str) -> list[str]:
    """Jobs that wait or run."""
    command = ["squeue", "--noheader", "--array", "--format", "%i"]
    return subprocess.run(
        command, env={**os.environ, "SLURM_CONF": conf}, text=True, capture_output=True, check=True
    ).stdout.split()


@pytest.mark.slurm
def test_slurm_runs_a_sweep_as_one_array(bench: Bench, slurm: str) -> None:
    bench.behave(mnist_mlp__torch={"end": "killed", "after": 1})
    done = bench.run(*GRID, "repetitions=2", SLURM_CONF=slurm)
    assert done.returncode == 1, done.stdout
    assert "4 finished, 2 failed, 0 left" in done.stdout
    assert Counter(run.data.tags["state"] for run in bench.stored()) == {"finished": 4, "failed": 2}
    folder = next((bench.folder / "runs" / ".sweeps").glob("*/.submitit"))
    assert len(list(folder.glob("*/*_submission.sh"))) == 1
    assert "#SBATCH --exclusive" in next(folder.glob("*/*_submission.sh")).read_text()
    bench.assert_whole()
    bench.behave()
    again = bench.run(*GRID, "repetitions=2", SLURM_CONF=slurm)
    assert again.returncode == 0, again.stdout
    assert "4 runs are finished already" in again.stdout
    assert set(bench.cells().values()) == {1}


@pytest.mark.slurm
def test_slurm_jobs_outlive_their_submitter_and_come_home(bench: Bench, slurm: str) -> None:
    bench.behave(all={"epoch_seconds": 3.0})
    process = bench.start(*GRID, SLURM_CONF=slurm)
    bench.until(process, "epoch 1/2")
    process.kill()
    process.communicate()
    assert queue(slurm)
    done = bench.run(*GRID, SLURM_CONF=slurm)
    assert done.returncode == 0, done.stdout
    assert "jobs of this sweep are in the queue already; following them" in done.stdout
    assert bench.cells() == {("mnist_mlp", b, "1"): 1 for b in ("jax", "torch", "tensorflow2")}
    assert len(bench.stored()) == 3  # none was measured twice
    bench.assert_whole()


@pytest.mark.slurm
def test_ctrl_c_cancels_slurm_s_jobs(bench: Bench, slurm: str) -> None:
    bench.behave(all={"epoch_seconds": 3.0})
    process = bench.start(*GRID, SLURM_CONF=slurm)
    bench.until(process, "epoch 1/2")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 130, out
    limit = time.monotonic() + 60
    while queue(slurm):
        assert time.monotonic() < limit
        time.sleep(1)
    done = bench.run(*GRID, SLURM_CONF=slurm)
    assert done.returncode == 0, done.stdout
    assert set(bench.cells().values()) == {1}
    bench.assert_whole()


@pytest.mark.slurm
def test_a_slurm_job_that_is_killed_hard_is_not_waited_for(bench: Bench, slurm: str) -> None:
    bench.behave(all={"epoch_seconds": 4.0})
    process = bench.start(*GRID, SLURM_CONF=slurm)
    bench.until(process, "epoch 1/2")
    for pid in bench.workers():
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(parent, signal.SIGKILL)
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 1, out
    assert Counter(run.data.tags["state"] for run in bench.stored()) == {"finished": 2, "killed": 1}
    bench.assert_whole()


def test_a_scheduler_that_is_not_there_is_told_in_a_line(bench: Bench) -> None:
    empty = bench.folder / "bin"
    empty.mkdir()
    done = bench.run(*GRID, PATH=str(empty))
    assert done.returncode == 1, done.stdout
    assert "warning: hydra/launcher=slurm: " in done.stdout
    assert "0 finished, 0 failed, 3 left" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.ray
def test_ray_runs_a_sweep(bench: Bench) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    bench.behave(mnist_mlp__torch={"end": "import_error"})
    done = bench.run("backend=jax,torch,tensorflow2", "hydra/launcher=ray", MLFLOW_RUN_ID="0" * 32)
    assert done.returncode == 1, done.stdout
    assert "2 finished, 1 failed, 0 left" in done.stdout
    assert Counter(run.data.tags["state"] for run in bench.stored()) == {"finished": 2, "failed": 1}
    assert all("shared" not in run.data.tags["flags"] for run in bench.stored())
    bench.assert_whole()


@pytest.mark.ray
def test_two_ray_tasks_on_one_device_are_refused(bench: Bench) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    done = bench.run(
        "backend=jax,torch", "hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"
    )
    assert done.returncode == 2
    assert "hydra.launcher.ray.init.num_cpus=1" in done.stdout
