"""Facts about the machine and checkout, stored with every run; none is read while measuring."""

import contextlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments.system.paths import cache_root, project_root, write_whole


def facts() -> dict[str, Any]:
    """CPU model, cores, governor, memory, load and system, as far as this machine tells them."""
    import psutil

    return {
        "hostname": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu_model": cpu_model(),
        "cpu_logical": psutil.cpu_count() or 1,
        "cpu_physical": psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        "cpu_governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "load_average": load_average(),
        "cpu_pressure": _first_line(Path("/proc/pressure/cpu")),
    }


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load_average() -> float | None:
    """Runnable processes averaged over the last minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def git_commit() -> tuple[str | None, bool | None]:
    """The checkout's commit and whether tracked files differ from it; (None, None) outside git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit, bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(*arguments: str) -> str:
    command = ["git", "-C", os.fspath(project_root()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return None


_CEILING = """
import json, sys, time
import numpy as np
n = 1500
a = np.random.default_rng(0).random((n, n), dtype=np.float32); b = a.T.copy()
big = np.ones(32_000_000, np.float32); other = np.empty_like(big)
def best(work, times):
    seconds = []
    for _ in range(times):
        start = time.perf_counter(); work(); seconds.append(time.perf_counter() - start)
    return min(seconds)
gemm = best(lambda: a @ b, 6); copy = best(lambda: np.copyto(other, big), 6)
json.dump({"ceiling_gemm_gflops": 2 * n ** 3 / gemm / 1e9,
           "ceiling_copy_gbytes_per_second": 2 * big.nbytes / copy / 1e9}, sys.stdout)
"""


def ceiling(threads: int) -> dict[str, float]:
    """The CPU's ceiling at this thread count: float32 matrix product (GFLOP/s), copy (GB/s).

    Best of six with NumPy's own BLAS, in a process of its own; kept per processor, host and thread
    count. Empty if it could not be measured.
    """
    path = cache_root() / "ceilings.json"
    key = f"{platform.node()}/{cpu_model()}/{threads}"
    kept: dict[str, dict[str, float]] = {}
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(path.read_text())
    if key in kept:
        return kept[key]
    variables = {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CEILING],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        kept[key] = json.loads(done.stdout)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(kept, indent=1))
    except (OSError, ValueError, subprocess.SubprocessError):
        return kept.get(key, {})
    return kept[key]
