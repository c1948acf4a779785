"""The complete environment of a worker process: nothing inherited that could change timings."""

import os
from pathlib import Path

from experiments.config.schema import BackendConfig
from experiments.environments.installed import KERAS_HOME, Environment
from experiments.errors import NotInstalled
from experiments.system.paths import cache_root, project_root

# What a worker inherits: where programs, the home, certificates and GPU libraries are.
_KEPT = (
    *(
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "TEMP",
        "TMP",
    ),
    *("XDG_CACHE_HOME", "XDG_RUNTIME_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *(
        "LD_LIBRARY_PATH",
        "CUDA_HOME",
        "CUDA_PATH",
        "CUDA_ROOT",
        "CUDA_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
    ),
)
# Every library of the six backends that starts threads, by the variable it reads.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # PyTorch, CNTK, oneDNN
    "MKL_NUM_THREADS",  # CNTK's MKL-ML, PyTorch
    "OPENBLAS_NUM_THREADS",  # NumPy, Theano's BLAS
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",  # TensorFlow 2
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # JAX: size of its CPU client's pools; no XLA flag sets them any more
    "PJRT_NPROC",
)
# A thread that waits spins for a moment (1 ms, 10,000 turns) and then sleeps. Spinning for long
# makes two threads slower than one on busy cores; sleeping at once made CNTK's LSTM 12 to 20 times
# and its embedding 40 times slower on idle ones, and PyTorch's LSTM twice: each of their many small
# parallel loops then wakes its threads anew.
_WAITING = {
    "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1",
    "OMP_DYNAMIC": "FALSE", "MKL_DYNAMIC": "FALSE",
}  # fmt: skip
_HIDDEN = "-1"  # CUDA_VISIBLE_DEVICES: no device


def worker_variables(
    env: Environment,
    backend: BackendConfig,
    threads: int,
    kind: str,
    index: int | None = None,
    *,
    memory_growth: bool = True,
    tf32: bool = False,
) -> dict[str, str]:
    """The complete environment of a process that runs `backend` in `env`.

    `threads` is a number (see `resolve_threads`), `kind` "cpu" or "gpu", `index` the one GPU to be
    seen, as nvidia-smi counts (None keeps the caller's CUDA_VISIBLE_DEVICES). Variables of the
    backend's configuration come last and win. Raises NotInstalled if the folder that an engine
    compiles into cannot be written.
    """
    _make_compile_folder(env)
    variables = {
        name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")
    }
    variables.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)), **_WAITING)
    variables.update(
        PYTHONPATH=str(project_root()),
        PYTHONNOUSERSITE="1",
        PYTHONHASHSEED="0",
        PYTHONFAULTHANDLER="1",
        PYTHONIOENCODING="utf-8",  # Python 3.6 would take ASCII for the locale C
        KERAS_BACKEND=backend.keras_backend,
        KERAS_HOME=str(_keras_home(env)),
    )
    if kind == "cpu":
        variables.update(CUDA_VISIBLE_DEVICES=_HIDDEN, JAX_PLATFORMS="cpu")
    else:
        variables.update(_gpu_variables(index, memory_growth, tf32))
    fixed = dict(env.variables)
    if "LD_LIBRARY_PATH" in fixed:
        inherited = variables.get("LD_LIBRARY_PATH")
        fixed["LD_LIBRARY_PATH"] += f"{os.pathsep}{inherited}" if inherited else ""
    variables.update(fixed)
    variables.update({name: str(value) for name, value in backend.variables.items()})
    return variables


def _gpu_variables(index: int | None, memory_growth: bool, tf32: bool) -> dict[str, str]:
    """What makes each engine use one GPU, with its memory and arithmetic as configured."""
    variables = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # so that an index means what nvidia-smi shows
        "JAX_PLATFORMS": "cuda,cpu",  # both named: JAX then fails if CUDA does not start
    }
    if index is not None:
        variables["CUDA_VISIBLE_DEVICES"] = str(index)
    if not tf32:
        variables["NVIDIA_TF32_OVERRIDE"] = "0"
    if memory_growth:
        variables.update(TF_FORCE_GPU_ALLOW_GROWTH="true", XLA_PYTHON_CLIENT_PREALLOCATE="false")
    return variables


def _keras_home(env: Environment) -> Path:
    """The environment's own folder of Keras settings: ~/.keras is neither read nor written."""
    return (env.folder or cache_root()) / KERAS_HOME


def _make_compile_folder(env: Environment) -> None:
    """Make the engine's folder of compiled functions; NotInstalled if it cannot be written."""
    folder = compiled_by(env)
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise NotInstalled(
            f"cannot write to {folder}, where compiled functions are kept; "
            "set KBB_CACHE to a folder that can be written"
        )


def compiled_by(env: Environment) -> Path | None:
    """The folder in which the engine of `env` keeps compiled functions; None if it keeps none."""
    for flag in env.variables.get("THEANO_FLAGS", "").split(","):
        name, _, value = flag.partition("=")
        if name == "base_compiledir":
            return Path(value)
    return None


def compiled_functions(env: Environment) -> int:
    """How many compiled functions `env` has: a run that adds some has waited for a compiler."""
    folder = compiled_by(env)
    return 0 if folder is None else sum(1 for _ in folder.glob("compiledir_*/tmp*/key.pkl"))


def compile_cache_state(env: Environment) -> str:
    """ "cold" or "warm" for an engine that keeps what it compiles, "none" for the others."""
    if compiled_by(env) is None:
        return "none"
    return "warm" if compiled_functions(env) else "cold"
