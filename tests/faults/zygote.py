"""A process that has imported the project once and forks a parent for each fault: seconds saved
each time.

What a fork runs is experiments/train.py or a module of the project as `python FILE` would run it;
only the imports are done already. Reads one JSON request a line on stdin, answers one line a
request on stdout:

    {"start": {"argv": […], "module": null | "…", "environment": {…}, "output": "…", "errors": "…"}} -> {"pid": N}
    {"wait": N, "seconds": S} -> {"status": null | exit status, negative for a signal}
"""

import faulthandler
import json
import os
import runpy
import signal
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def imports() -> None:
    """All that a run imports."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # No thread may run when a parent is forked: what it holds would stay held for ever.
    os.environ.update(
        MLFLOW_DISABLE_TELEMETRY="true", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"
    )
    import hydra  # noqa: F401
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    import numpy  # noqa: F401
    import psutil  # noqa: F401
    import sqlalchemy.dialects.sqlite  # noqa: F401

    from experiments import datasets, environments  # noqa: F401
    from experiments.runs import record, run, supervise  # noqa: F401
    from experiments.tracking import ingest, recorder, store  # noqa: F401


def start(request: dict) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        for number, path in ((0, os.devnull), (1, request["output"]), (2, request["errors"])):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            descriptor = os.open(path, flags, 0o644)
            os.dup2(descriptor, number)
            os.close(descriptor)
        faulthandler.register(
            signal.SIGUSR1, file=2, all_threads=True
        )  # for a parent that does not end
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(ROOT)
        sys.argv = request["argv"]
        if request.get("module"):
            warnings.filterwarnings("ignore", message=".*found in sys.modules after import")
            runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(Path(sys.argv[0]).parent))
            runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(pid: int, seconds: float) -> int | None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def main() -> None:
    imports()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer: dict = {"pid": start(request["start"])}
        else:
            answer = {"status": wait(request["wait"], request["seconds"])}
        print(json.dumps(answer), flush=True)
    os._exit(0)  # what was imported has nothing to put in order


if __name__ == "__main__":
    main()
