"""Real child processes: followed without polling, ended whole, never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from experiments.system import process
from experiments.system.process import Worker

NEVER = lambda: None  # noqa: E731 - no limit


def start(tmp_path: Path, code: str, **variables: str) -> Worker:
    """A worker that runs `code` with `notify` (the pipe's number) and `folder` defined."""
    path = tmp_path / "worker.py"
    path.write_text("import os, sys, time, subprocess, signal\nnotify = int(os.environ['NOTIFY'])\n"
                    "folder = os.getcwd()\n" + textwrap.dedent(code))  # fmt: skip
    worker = Worker([sys.executable, "-S", "-E", str(path)], {}, tmp_path, tmp_path / "worker.log")
    worker._variables.update(variables, NOTIFY=str(worker.notify_write), PATH=os.environ["PATH"])
    worker.start()
    return worker


def wait_for(path: Path, seconds: float = 10) -> str:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written")


def gone(pid: int, seconds: float = 5) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def descriptors() -> set[str]:
    return open_now()


def open_now() -> set[str]:
    """The file descriptors of this process."""
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_news_and_exit_status(tmp_path: Path, descriptors: set[str]) -> None:
    worker = start(tmp_path, "os.write(notify, b'.'); print('said'); sys.exit(7)")
    news: list[float] = []
    end = worker.follow(lambda: news.append(time.monotonic()), NEVER)
    worker.close()
    assert end.status == 7 and end.timed_out is None and len(news) >= 2
    assert (tmp_path / "worker.log").read_text() == "said\n"
    assert open_now() <= descriptors, "file descriptors are left open"


def test_parent_sleeps_while_nothing_happens(tmp_path: Path) -> None:
    worker = start(tmp_path, "time.sleep(3)")
    before = time.process_time()
    worker.follow(lambda: None, lambda: (time.monotonic() + 60, "total"))
    worker.close()
    assert time.process_time() - before < 0.05


def test_news_is_taken_when_its_notice_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TICK_SECONDS", 0.1)
    worker = start(tmp_path, "time.sleep(0.7)")
    news: list[int] = []
    worker.follow(lambda: news.append(1), NEVER)
    worker.close()
    assert len(news) > 3


def test_deadline_ends_the_whole_group_within_seconds(tmp_path: Path) -> None:
    worker = start(
        tmp_path,
        """
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", deaf])
        grandchild = subprocess.Popen(["/bin/sh", "-c", "sleep 600 & echo $! > grandchild; wait"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("pids", "w").write("%d %d\\n" % (child.pid, grandchild.pid))
        time.sleep(600)
        """,
    )
    pids = [int(pid) for pid in wait_for(tmp_path / "pids").split()] + [
        int(wait_for(tmp_path / "grandchild"))
    ]
    begin = time.monotonic()
    end = worker.follow(lambda: None, lambda: (begin + 0.3, "epoch"))
    worker.close()
    assert end.timed_out == "epoch" and end.status == -signal.SIGKILL
    assert time.monotonic() - begin < 5
    assert all(gone(pid, 2) for pid in [*pids, worker.process.pid])


def test_chatter_does_not_put_the_deadline_off(tmp_path: Path) -> None:
    worker = start(
        tmp_path,
        """
        while True:
            try:
                os.write(notify, b"." * 512)
            except BlockingIOError:
                pass
        """,
    )
    begin = time.monotonic()
    end = worker.follow(lambda: None, lambda: (begin + 0.5, "total"))
    worker.close()
    assert end.timed_out == "total" and time.monotonic() - begin < 5


def test_limit_that_moved_while_news_was_taken_is_asked_again(tmp_path: Path) -> None:
    worker = start(tmp_path, "time.sleep(0.6); os.write(notify, b'.'); time.sleep(0.6)")
    limit = [time.monotonic() + 0.5]

    def news() -> None:
        limit[0] = time.monotonic() + 30  # an epoch was found, though late

    end = worker.follow(news, lambda: (limit[0], "epoch"))
    worker.close()
    assert end.timed_out is None and end.status == 0


def test_slow_parent_does_not_stop_the_worker(tmp_path: Path) -> None:
    worker = start(
        tmp_path,
        """
        try:
            for _ in range(200_000):
                os.write(notify, b".")
        except OSError:
            pass
        open("done", "w").write("done\\n")
        time.sleep(30)
        """,
    )
    assert wait_for(tmp_path / "done") == "done\n"  # nobody has read a byte yet
    worker.close()


def test_flood_of_output_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT_BYTES", 1 << 20)
    monkeypatch.setattr(process, "TICK_SECONDS", 0.1)
    worker = start(tmp_path, "while True: print('x' * 10_000)")
    end = worker.follow(lambda: None, NEVER)
    worker.close()
    assert end.timed_out == process.LOG


def test_helper_left_behind_by_an_orderly_exit_ends(tmp_path: Path) -> None:
    worker = start(
        tmp_path,
        """
        child = subprocess.Popen(["sleep", "600"])
        open("pid", "w").write("%d\\n" % child.pid)
        """,
    )
    end = worker.follow(lambda: None, NEVER)
    worker.close()
    assert end.status == 0 and gone(int((tmp_path / "pid").read_text()), 2)


def test_second_interrupt_still_ends_the_worker(tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); open('up', 'w').write('1\\n'); time.sleep(600)"
    worker = start(tmp_path, deaf)
    wait_for(tmp_path / "up")
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            worker.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert gone(worker.process.pid, 2)


def test_command_that_is_not_there(tmp_path: Path, descriptors: set[str]) -> None:
    worker = Worker([str(tmp_path / "nothing")], {}, tmp_path, tmp_path / "worker.log")
    with pytest.raises(OSError, match="nothing"):
        worker.start()
    worker.close()
    assert open_now() <= descriptors


def test_affinity(tmp_path: Path) -> None:
    one = min(os.sched_getaffinity(0))
    path = tmp_path / "worker.py"
    path.write_text("import os; print(sorted(os.sched_getaffinity(0)))")
    worker = Worker(
        [sys.executable, str(path)], dict(os.environ), tmp_path, tmp_path / "worker.log"
    )
    worker.start([one])
    worker.follow(lambda: None, NEVER)
    worker.close()
    assert (tmp_path / "worker.log").read_text() == f"[{one}]\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, number: int) -> None:
    """The worker's children too, though the kernel's death signal reaches the worker alone."""
    parent_code = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {os.fspath(Path(process.__file__).parents[2])!r})
        from pathlib import Path
        from experiments.system.process import Worker
        folder = Path({os.fspath(tmp_path)!r})
        worker = Worker([sys.executable, "-c", '''
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "600"])
        open("pids", "w").write("%d %d\\\\n" % (os.getpid(), child.pid))
        time.sleep(600)
        '''], {{}}, folder, folder / "worker.log")
        worker.start()
        worker.follow(lambda: None, lambda: None)
        """
    ).replace("\n        import os, sub", "\nimport os, sub")
    (tmp_path / "parent.py").write_text(parent_code)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")])
    pids = [int(pid) for pid in wait_for(tmp_path / "pids").split()]
    parent.send_signal(number)
    parent.wait(10)
    assert all(gone(pid, 5) for pid in pids)


def test_output_of_a_short_command(tmp_path: Path) -> None:
    assert process.output_of(["pwd"], os.environ, 10, tmp_path) == f"{tmp_path}\n"
    with pytest.raises(subprocess.CalledProcessError) as failure:
        process.output_of(["sh", "-c", "echo why >&2; exit 3"], os.environ, 10)
    assert failure.value.returncode == 3 and failure.value.stderr == "why\n"
    with pytest.raises(OSError, match="nothing"):
        process.output_of([str(tmp_path / "nothing")], os.environ, 10)


def test_command_that_takes_too_long_ends_with_its_helpers(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.output_of(
            ["sh", "-c", "sleep 600 & echo $! > pid; wait"], os.environ, 0.5, tmp_path
        )
    assert gone(int((tmp_path / "pid").read_text()), 2)
