"""Sweeps end to end with an engine that trains nothing: order, failures, resuming, refusals, the
terminal.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sweeping import GRID, ROOT, Bench

TWO = "backend=jax,torch"


def _stat(pid: int) -> list[str]:
    """Fields 3 to 52 of /proc/PID/stat: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def test_a_sweep_measures_its_grid_in_blocks_and_once(bench: Bench) -> None:
    done = bench.run("backend=jax,torch,tensorflow2", "repetitions=2")
    assert done.returncode == 0, done.stdout
    bench.assert_whole()
    assert set(bench.cells().values()) == {1}
    assert len(bench.cells()) == 6
    runs, summary = bench.stored(), bench.summary()
    assert {run.data.tags["sweep_id"] for run in runs} == {summary.data.tags["sweep_id"]}
    assert all(run.data.tags["block"] == run.data.tags["repetition"] for run in runs)
    assert all(len(run.data.tags["protocol_id"]) == 12 for run in runs)
    assert {run.data.tags["block"] for run in runs[:3]} == {"1"}
    assert (
        len({run.data.params["run.seed"] for run in runs}) == 2
    )  # task and repetition, not the backend
    order = json.loads(bench.artifact(summary, "order.json"))
    planned = [cell["title"] for block in order["blocks"] for cell in block]
    made = [
        f"mnist_mlp {run.data.params['backend']} #{run.data.tags['repetition']}" for run in runs
    ]
    assert made == planned
    assert str(order["order_seed"]) == summary.data.params["order_seed"]
    assert summary.data.tags["state"] == "finished"
    assert summary.info.status == "FINISHED"
    assert len(json.loads(bench.artifact(summary, "plan.json"))["cells"]) == 3
    assert "mnist_mlp torch" in bench.artifact(summary, "table.md")
    again = bench.run("backend=jax,torch,tensorflow2", "repetitions=2")
    assert again.returncode == 0, again.stdout
    assert "6 runs are finished already and are not measured again" in again.stdout
    assert len(bench.stored()) == 6
    assert len(bench.stored("sweep")) == 1


def test_a_plan_shows_what_would_be_done_and_creates_nothing(
    new_bench: Callable[[str], Bench],
) -> None:
    bench = new_bench("plan")
    done = bench.run(TWO, "repetitions=3", "plan=true")
    assert done.returncode == 0, done.stdout
    assert "2 cells, 6 runs: 0 finished, 6 to measure" in done.stdout
    assert "a rough guess for 6" in done.stdout
    assert {path.name for path in bench.folder.iterdir()} == {"engine"}


def test_a_plan_counts_what_is_finished_and_estimates_from_it(bench: Bench) -> None:
    assert bench.run("backend=torch").returncode == 0
    before = len(bench.stored())
    done = bench.run(TWO, "repetitions=2", "plan=true")
    assert "2 cells, 4 runs: 1 finished, 3 to measure" in done.stdout, done.stdout
    assert "earlier runs for 1" in done.stdout
    assert "similar runs for 2" in done.stdout
    assert len(bench.stored()) == before


def test_failing_cells_are_told_named_and_stored_and_the_rest_goes_on(bench: Bench) -> None:
    bench.behave(
        mnist_mlp__jax={"end": "import_error"}, mnist_mlp__torch={"end": "killed", "after": 1},
        mnist_mlp__tensorflow={"end": "hangs", "after": 1}, mnist_mlp__tensorflow2={"end": "nan", "after": 1},
    )  # fmt: skip
    grid = "backend=jax,torch,tensorflow,tensorflow2,theano"
    done = bench.run(grid, "timeouts.epoch=1")
    assert done.returncode == 1
    states = {run.data.params["backend"]: run.data.tags["state"] for run in bench.stored()}
    assert states == {"jax": "failed", "torch": "failed", "tensorflow": "timeout", "tensorflow2": "diverged",
                      "theano": "finished"}  # fmt: skip
    for line in (
        "ImportError: libfake.so.1",
        "killed by SIGKILL",
        "timeouts.epoch=1 s passed in epoch 2",
        "loss is nan in epoch 1",
    ):
        assert line in done.stdout
    logs = re.findall(r"log: (\S+worker\.log)", done.stdout)
    assert len(logs) == 3
    assert any("ImportError" in Path(log).read_text() for log in logs)
    assert "2 finished, 3 failed, 0 left" in done.stdout
    assert bench.summary().data.tags["state"] == "failed"
    bench.assert_whole()
    bench.behave()
    again = bench.run(grid, "timeouts.epoch=20")
    assert again.returncode == 0, again.stdout
    assert "2 runs are finished already" in again.stdout
    assert set(bench.cells().values()) == {1}


def test_a_cell_that_cannot_be_measured_is_recorded_without_a_second_try(bench: Bench) -> None:
    done = bench.run(TWO, "gpu=cpu,k80", "repetitions=2", "hydra/launcher=joblib")
    assert done.returncode == 1, done.stdout
    states = Counter((run.data.params["gpu"], run.data.tags["state"]) for run in bench.stored())
    assert states == {("cpu", "finished"): 4, ("k80", "device_mismatch"): 4}
    assert "gpu=k80: K80 is not here" in done.stdout
    bench.assert_whole()


def test_no_interpreter_is_a_state_of_its_cells_alone(bench: Bench) -> None:
    command = [sys.executable, "experiments/sweep.py", *GRID, f"backend.python={bench.python},/no/such/python",
               "backend=jax", "repetitions=2"]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=bench.variables(), text=True, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert Counter(run.data.tags["state"] for run in bench.stored()) == {
        "finished": 2,
        "not_installed": 2,
    }


def test_fail_fast_stops_at_the_first(bench: Bench) -> None:
    bench.behave(all={"end": "import_error"})
    done = bench.run("backend=jax,torch,tensorflow2", "repetitions=2", "fail_fast=true")
    assert done.returncode == 1
    assert "0 finished, 1 failed, 5 left" in done.stdout
    assert len(bench.stored()) == 1


def test_fail_fast_reaches_a_launcher_s_jobs(bench: Bench) -> None:
    bench.behave(all={"end": "import_error"})
    done = bench.run("backend=jax,torch,tensorflow2", "fail_fast=true", "hydra/launcher=joblib")
    assert done.returncode == 1
    assert "0 finished, 1 failed, 2 left" in done.stdout, done.stdout
    bench.behave()
    assert (
        bench.run(
            "backend=jax,torch,tensorflow2", "fail_fast=true", "hydra/launcher=joblib"
        ).returncode
        == 0
    )


@pytest.mark.parametrize("word", ["[0/4]", "epoch 1/2", "[1/4] finished", "[2/4]"])
def test_a_killed_sweep_goes_on_where_it_was(bench: Bench, word: str) -> None:
    bench.behave(all={"epoch_seconds": 0.5})
    process = bench.start(TWO, "repetitions=2")
    bench.until(process, word)
    process.kill()
    process.communicate()
    time.sleep(1)  # the kernel ends the worker with its parent
    assert bench.workers() == []
    done = bench.run(TWO, "repetitions=2")
    assert done.returncode == 0, done.stdout
    assert "(resumed)" in done.stdout
    assert bench.cells() == {("mnist_mlp", b, n): 1 for b in ("jax", "torch") for n in "12"}
    states = Counter(run.data.tags["state"] for run in bench.stored())
    assert set(states) <= {"finished", "killed"}
    assert states["killed"] <= 1
    bench.assert_whole()
    assert len(bench.stored("sweep")) == 1


def test_ctrl_c_leaves_the_rest_for_later(bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 1.0})
    process = bench.start(TWO, "repetitions=2")
    bench.until(process, "epoch 1/2")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "the same command resumes here" in out
    assert "Traceback" not in out
    assert [run.data.tags["state"] for run in bench.stored()] == ["killed"]
    assert bench.stored()[0].info.status == "KILLED"
    assert bench.summary().data.tags["state"] == "killed"
    bench.assert_whole()
    assert bench.run(TWO, "repetitions=2").returncode == 0
    assert set(bench.cells().values()) == {1}


def test_force_measures_again_and_a_killed_one_goes_on(bench: Bench) -> None:
    assert bench.run(TWO).returncode == 0
    bench.behave(all={"epoch_seconds": 0.5})
    process = bench.start(TWO, "force=true")
    bench.until(process, "[1/2] finished")
    process.kill()
    process.communicate()
    done = bench.run(TWO, "force=true")
    assert done.returncode == 0, done.stdout
    assert "1 runs are finished already" in done.stdout
    assert set(bench.cells().values()) == {2}
    assert bench.run(TWO, "force=true").returncode == 0
    assert set(bench.cells().values()) == {3}


def test_more_repetitions_keep_what_is_there(bench: Bench) -> None:
    assert bench.run("backend=jax").returncode == 0
    done = bench.run("backend=jax", "repetitions=3")
    assert "1 runs are finished already" in done.stdout
    assert bench.cells() == {("mnist_mlp", "jax", n): 1 for n in "123"}


def test_other_settings_of_a_backend_are_another_cell(bench: Bench) -> None:
    assert bench.run("backend=jax").returncode == 0
    done = bench.run("backend=jax", "backend.settings.jit_compile=auto,true")
    assert done.returncode == 0
    assert "1 runs are finished already" in done.stdout
    assert len(bench.stored()) == 2


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_the_run_that_mlflow_opened_is_the_summary_s_alone(bench: Bench, launcher: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(bench.uri)
    experiment = client.get_experiment_by_name("keras-backend-benchmark")
    assert experiment is not None
    opened = client.create_run(experiment.experiment_id)
    client.log_param(opened.info.run_id, "backends", "jax,torch")
    done = bench.run(TWO, f"hydra/launcher={launcher}", MLFLOW_RUN_ID=opened.info.run_id)
    assert done.returncode == 0, done.stdout
    assert bench.summary().info.run_id == opened.info.run_id
    assert bench.summary().data.params["backends"] == "jax,torch"
    assert "epoch_seconds" not in bench.summary().data.metrics
    assert len(bench.stored()) == 2
    assert opened.info.run_id not in {run.info.run_id for run in bench.stored()}


def test_a_machine_without_a_store_keeps_journals_and_resumes_by_them(bench: Bench) -> None:
    first = bench.run(TWO, "tracking=journal")
    assert first.returncode == 0, first.stdout
    assert bench.stored() == []
    again = bench.run(TWO, "tracking=journal")
    assert "2 runs are finished already" in again.stdout
    later = bench.run(TWO)  # with the store: what was measured without it is brought in first
    assert later.returncode == 0
    assert later.stdout.count("brought in") == 2
    assert "2 runs are finished already" in later.stdout
    bench.assert_whole()
    assert set(bench.cells().values()) == {1}


def test_a_store_that_does_not_answer_is_refused_or_done_without(bench: Bench) -> None:
    nowhere = "tracking.uri=http://127.0.0.1:9"
    done = bench.run(TWO, nowhere)
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert "does not answer" in done.stdout
    assert not (bench.folder / "runs").exists() or not list(
        (bench.folder / "runs").glob("*/events.jsonl")
    )
    without = bench.run("backend=jax", nowhere, "tracking.required=false")
    assert without.returncode == 0, without.stdout
    assert "when it answers: python -m experiments journal ingest" in without.stdout


def test_the_parent_sleeps_while_a_worker_trains(bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 6.0})
    process = bench.start("backend=jax")
    bench.until(process, "epoch 1/2")
    time.sleep(0.5)
    before = _stat(process.pid)
    time.sleep(4)
    ticks = [int(fields[11]) + int(fields[12]) for fields in (before, _stat(process.pid))]
    process.communicate(timeout=60)
    assert (ticks[1] - ticks[0]) / os.sysconf("SC_CLK_TCK") < 0.02 * 4


def test_a_terminal_shows_one_status_and_lines_that_stay(bench: Bench) -> None:
    bench.behave(mnist_mlp__torch={"end": "import_error"})
    master, slave = pty.openpty()
    process = bench.start(TWO, out=slave, TERM="xterm-256color", COLUMNS="120")
    os.close(slave)
    shown = b""
    while select.select([master], [], [], 120)[0]:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    assert process.wait(30) == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "1 done · 1 failed · 0 left" in text
    assert re.search(r"mnist_mlp jax #1: epoch 2/2 +loss", text)
    assert "failed    mnist_mlp torch #1: ImportError: libfake.so.1" in text


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("backend=jax,nope",), 2, "backend=nope: unknown backend; choose from cntk, jax"),
        (("task=glob(zzz*)",), 2, "an axis without a choice"),
        (("repetition=2",), 2, "say how many with repetitions=N"),
        (("repetitions=1,2",), 2, "repetitions holds for the whole sweep"),
        (("repetitions=0",), 2, "repetitions=0: must be a whole number of at least 1 or auto"),
        (("sweep.id=x",), 2, "sweep.id is set by the sweep itself"),
        (("epochs=1,x",), 2, "epochs=x: must be a whole number"),
        (("no.such=1",), 2, "no.such"),
        (("hydra/launcher=nope",), 2, "hydra/launcher/nope"),
        (("plan=perhaps",), 2, "plan"),
    ],
)
def test_refusals_are_one_line(
    bench: Bench, arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = bench.run(*arguments)
    assert done.returncode == status, done.stdout
    assert done.stdout.strip().count("\n") == 0
    assert done.stdout.startswith("error: ")
    assert message in done.stdout
    assert not (bench.folder / "runs").exists()


def test_glob_takes_every_member(bench: Bench) -> None:
    done = bench.run("task=glob(mnist*)", "backend=glob([j*,t*])", "plan=true")
    assert done.returncode == 0, done.stdout
    assert "10 cells" in done.stdout  # 2 tasks × jax, tensorflow, tensorflow2, theano, torch


def test_help_names_the_settings() -> None:
    command = [sys.executable, "experiments/sweep.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    for word in (
        "repetitions=auto",
        "plan=false",
        "force=false",
        "fail_fast=false",
        "backend: cntk, jax",
    ):
        assert word in done.stdout
