"""What the harness costs: the parent beside a worker, the parent per run, the worker's epochs.

    python benchmarks/bench_overhead.py [backend=jax] [python=/path] [pairs=7] [epochs=21]
                                        [fraction=0.5] [smoke=true]

Three figures, each with its goal:

1. the parent's share of one core while the worker trains (below 2 %);
2. the parent's CPU seconds per run beside environment and data preparation (below 1.5): each
   further run of a sweep, and a single command with where its time goes;
3. the steady training epoch in the harness over that of a bare Keras script of the same task in the
   same interpreter, in interleaved pairs (at most 1.01).

The engine is real and the data synthetic. Leave the machine alone meanwhile: it says if others use
it.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.harness import Setting, busy_seconds, own_tree_seconds, read, sweep, train  # noqa: E402

GOALS = {"share": 0.02, "run": 1.5, "ratio": 1.01}
# Where a command's time goes: CPU seconds at each step of what train.py does before its run begins.
STEPS = """
import time
marks = {"interpreter": time.process_time()}
import sys; sys.path.insert(0, sys.argv[1])
from experiments.config.compose import register_schema, typed
from experiments.config.schema import RunConfig
import hydra, hydra.core.plugins
marks["import Hydra"] = time.process_time()
register_schema(RunConfig)
with hydra.initialize_config_dir(sys.argv[1] + "/conf", version_base="1.3"):
    config = typed(hydra.compose("config"))
marks["compose"] = time.process_time()
import os
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow import MlflowClient
marks["import MLflow"] = time.process_time()
from experiments.tracking.store import connect
connect(config.tracking)
marks["open the store"] = time.process_time()
import json; print(json.dumps(marks))
"""


def main(arguments: list[str]) -> int:
    """Measure and print; 0 where all goals are met."""
    given = dict(word.partition("=")[::2] for word in arguments)
    smoke = given.pop("smoke", "false") == "true"
    unknown = set(given) - {"backend", "python", "pairs", "epochs", "fraction"}
    if unknown:
        print(
            f"error: {', '.join(sorted(unknown))} is not understood; see the head of {__file__}",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(
            given.get("backend", "jax"),
            given.get("python"),
            int(given.get("pairs", 1 if smoke else 7)),
            int(given.get("epochs", 3 if smoke else 21)),
            float(given.get("fraction", 0.02 if smoke else 0.5)),
            Path(folder),
        )
        return measure(setting)


def measure(setting: Setting) -> int:
    """All three figures."""
    print(
        f"machine: {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f} before\n"
        "warming up: environment, check, data, store",
        flush=True,
    )
    warm = train(setting)
    begin = busy_seconds(), time.monotonic(), own_tree_seconds()
    met = [
        share_of_a_core(setting),
        cpu_per_run(setting),
        steady_ratio(setting, warm.journals[-1].parent / "job.json"),
    ]
    wall = time.monotonic() - begin[1]
    others = ((busy_seconds() - begin[0]) - (own_tree_seconds() - begin[2])) / wall
    remark = "" if others < 0.1 else ": measure again when it is quiet"
    print(f"\nothers used {others:.2f} processors meanwhile{remark}")
    return 0 if all(met) else 1


def share_of_a_core(setting: Setting) -> bool:
    """Figure 1, from the first epoch's end to the last one's."""
    ran = train(setting, watch=True)
    if ran.share is None:
        print("1. parent beside a training worker: the epochs were too short to tell")
        return True
    return told(
        "1. parent beside a training worker",
        ran.share,
        GOALS["share"],
        f"{100 * ran.share:.2f} % of a core",
        f"goal < {100 * GOALS['share']:g} %",
    )


def cpu_per_run(setting: Setting) -> bool:
    """Figure 2: the difference of sweeps with one and with four runs, then a single command and its
    steps.
    """
    few = replace(setting, epochs=2, fraction=min(setting.fraction, 0.02))
    one, four = (
        statistics.median(
            sweep(few, count).own_seconds for _ in range(3 if setting.pairs > 1 else 1)
        )
        for count in (1, 4)
    )
    each = (four - one) / 3
    met = told(
        "2. parent per run of a sweep",
        each,
        GOALS["run"],
        f"{each:.2f} CPU s",
        f"goal < {GOALS['run']:g} s",
    )
    single = statistics.median(train(few).own_seconds for _ in range(3 if setting.pairs > 1 else 1))
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(ROOT)],
        env=setting.variables(),
        capture_output=True,
        text=True,
        check=True,
    )
    marks = json.loads(done.stdout.splitlines()[-1])
    parts, before = [], 0.0
    for name, at in marks.items():
        parts.append(f"{name} {at - before:.2f}")
        before = at
    print(
        f"   a single command: {single:.2f} CPU s ({', '.join(parts)}, "
        f"the run itself {single - before:.2f})"
    )
    return met


def steady_ratio(setting: Setting, job: Path) -> bool:
    """Figure 3: the median over pairs, each pair in random order."""
    chance, ratios = random.Random(2017), []
    for number in range(setting.pairs):
        seconds = {}
        for which in chance.sample(("harness", "bare"), 2):
            seconds[which] = (
                harness_epoch(setting) if which == "harness" else bare_epoch(setting, job)
            )
        ratios.append(seconds["harness"] / seconds["bare"])
        print(
            f"   pair {number + 1}: harness {seconds['harness']:.4f} s, "
            f"bare {seconds['bare']:.4f} s, "
            f"ratio {ratios[-1]:.4f}",
            flush=True,
        )
    middle = statistics.median(ratios)
    shown = f"{middle:.4f} (from {min(ratios):.4f} to {max(ratios):.4f}, {len(ratios)} pairs)"
    return told(
        "3. steady epoch, harness / bare Keras",
        middle,
        GOALS["ratio"],
        shown,
        f"goal ≤ {GOALS['ratio']:g}",
    )


def told(what: str, value: float, goal: float, shown: str, wanted: str) -> bool:
    """Print a figure beside its goal; whether it is met."""
    print(f"{what}: {shown} ({wanted}: {'met' if value <= goal else 'NOT met'})", flush=True)
    return value <= goal


def harness_epoch(setting: Setting) -> float:
    """The median steady training epoch of a run of the harness, seconds."""
    epochs = [event for event in read(train(setting).journals[-1]) if event["event"] == "epoch"]
    return statistics.median(event["train_seconds"] for event in epochs if event["epoch"] > 1)


def bare_epoch(setting: Setting, job: Path) -> float:
    """The same of the plain script, in the worker's interpreter and environment."""
    from experiments.config.members import backends
    from experiments.environments import ensure, worker_variables

    backend = replace(backends()[setting.backend], python=setting.python)
    environment = ensure(backend, "cpu", print)
    variables = worker_variables(environment, backend, 1, "cpu")
    done = subprocess.run(
        [str(environment.python), str(ROOT / "benchmarks" / "bare_keras.py"), str(job)],
        env=variables,
        cwd=setting.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the bare script failed: {done.stderr.strip().splitlines()[-1]}")
    return statistics.median(json.loads(done.stdout.splitlines()[-1])[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
