"""The commands as a person types them: refusals in one line, exit statuses, readable help."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.cli.console import Terminal, duration, epoch_line
from experiments.cli.frame import guarded
from experiments.config.compose import one_line, refuse_unknown_choices
from experiments.config.members import choices
from experiments.errors import (
    ConfigError,
    DataError,
    DeviceMismatch,
    EngineUnsound,
    FailedRun,
    NotInstalled,
    Regression,
    TrackingError,
    UserError,
    exit_status,
    fail,
)

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = "experiments/train.py"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["task=nope"], "task=nope: unknown task; choose from cifar10_cnn"),
        (["backend=pytorch"], "backend=pytorch: unknown backend; choose from cntk, jax"),
        (["profile="], "profile=: unknown profile"),
        (["nothing=1"], "Key 'nothing' not in 'RunConfig'"),
        (["task.model.hiden=[1]"], "task.model.hiden"),
        (["timeouts.epoch=soon"], "soon"),
        (["epochs=0"], "epochs=0: must be a whole number of at least 1 or auto"),
        (["task=mnist_mlp,text_gen"], "task=mnist_mlp,text_gen"),
        (["data=local"], "data.dir=FOLDER"),
        (["fraction"], "fraction"),
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
    ],
)
def test_refused_in_one_line(
    command: Command, arguments: list[str], says: str, tmp_path: Path
) -> None:
    done = command(TRAIN, *arguments)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert (
        done.stderr.startswith("error: ")
        and done.stderr.count("\n") == 1
        and len(done.stderr) < 400
    )
    assert (
        done.stdout == ""
        and not (tmp_path / "runs").exists()
        and not (tmp_path / "mlflow.db").exists()
    )


def test_help_names_groups_settings_and_choices(command: Command) -> None:
    done = command(TRAIN, "--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in (
        "python experiments/train.py task=text_gen backend=theano",
        "task: ",
        "backend: ",
        "epochs=auto",
        "timeouts.build=",
        *choices("task"),
        *choices("backend"),
    ):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_composed_configuration_is_shown_without_a_run(command: Command, tmp_path: Path) -> None:
    done = command(TRAIN, "backend=jax", "--cfg", "job")
    assert done.returncode == 0 and "keras_backend: jax" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_from_another_folder(tmp_path: Path, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, root / TRAIN, "task=nope"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "unknown task" in done.stderr and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 0.6])
def test_interrupt_while_starting_shows_no_traceback(root: Path, seconds: float) -> None:
    code = (
        "import runpy, sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "from experiments.cli.bootstrap import require_project_environment as require\n"
        "require(); print(flush=True); sys.argv[0] = sys.path[0] + '/experiments/train.py'\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, root, "task=mnist_mlp", "--cfg", "all"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(seconds)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode in (0, -signal.SIGINT) and said == ""


def test_guarded_statuses(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KBB_RUNS", str(tmp_path))

    def raising(error: BaseException) -> Callable[[], int]:
        def work() -> int:
            raise error

        return work

    assert guarded(lambda: 3) == 3
    assert guarded(raising(ConfigError("a"))) == 2
    assert guarded(raising(DataError("b"))) == 2
    assert guarded(raising(NotInstalled("c"))) == 1
    assert guarded(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "error: a\nerror: b\nerror: c\ninterrupted\n"
    assert guarded(raising(ValueError("two\nlines"))) == 70
    said = capsys.readouterr().err
    assert (
        said.startswith("error: ValueError: two lines (a bug; traceback: ")
        and said.count("\n") == 1
    )
    assert "raise error" in next(tmp_path.glob("error-*.log")).read_text()


def test_termination_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    kept = signal.getsignal(signal.SIGTERM)
    try:

        def work() -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
            return 0

        assert guarded(work) == 130 and capsys.readouterr().err == "ended by SIGTERM\n"
    finally:
        signal.signal(signal.SIGTERM, kept)


def test_one_line_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert one_line("a:\n  b.\n\nSet the environment variable HYDRA_FULL_ERROR=1\n") == "a: b."
    assert fail(ConfigError("x\n  y")) == 2 and capsys.readouterr().err == "error: x y\n"


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ((UserError, ConfigError, DataError, TrackingError), 2),
        ((FailedRun, NotInstalled, DeviceMismatch, EngineUnsound, Regression), 1),
        ((KeyboardInterrupt,), 130),
        ((ValueError, OSError, AssertionError), 70),
    ],
)
def test_one_exit_status_for_each_kind_of_error(
    errors: tuple[type[BaseException], ...], status: int
) -> None:
    assert {exit_status(error("x")) for error in errors} == {status}


def test_unknown_choices() -> None:
    refuse_unknown_choices(
        ["task=mnist_mlp", "backend=jax,torch", "task.batch=3", "--help", "task=glob(*)"]
    )
    with pytest.raises(ConfigError, match="backend=nope"):
        refuse_unknown_choices(["backend=jax,nope"])


def test_closed_terminal_costs_lines_and_not_the_run(root: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from experiments.cli.console import Terminal\n"
        "view = Terminal()\n"
        "for _ in range(2000): view.note('x' * 100)\n"
        "view.warn('still here')"
    )
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    child = subprocess.run(
        [sys.executable, "-c", code, root],
        stdout=reader.stdin,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert reader.stdin is not None
    reader.stdin.close()
    assert child.returncode == 0 and child.stderr == "warning: still here\n"


def test_lines_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "epoch": 2,
        "loss": 0.25,
        "val_loss": None,
        "val_accuracy": 0.5,
        "train_seconds": 61.0,
        "validation_seconds": 1.0,
        "epoch_seconds": 62.0,
        "samples_per_second": 1234.5,
    }
    assert epoch_line(event, 10) == (
        "epoch  2/10  loss 0.2500  val_accuracy 0.5000  61.00 s + 1.00 s validation  "
        "1,234 samples/s  ETA 8 min 16 s"
    )
    assert "ETA" not in epoch_line({**event, "epoch": 10}, 10)
    assert [duration(s) for s in (0.4, 59, 60, 3599, 3600, 7500)] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "59 min 59 s",
        "1 h 00 min",
        "2 h 05 min",
    ]
    view = Terminal()
    view.start("MLP", 3)
    view.warn("hot")
    view.end("failed", "why", "  where")
    said = capsys.readouterr()
    assert said.out == "MLP, 3 epochs\nfailed: why\n  where\n" and said.err == "warning: hot\n"
