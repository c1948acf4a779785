"""The process environment of a worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.environments import (
    Environment,
    compile_cache_state,
    compiled_functions,
    worker_variables,
)
from experiments.environments.fixes import FixError, Target, theano_blas, theano_compiler
from experiments.errors import NotInstalled
from tests.support.environment_files import backend

BACKEND = backend("tiny")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(
        Path("/opt/python"), "0123456789ab", "cpu", "venv", tmp_path / "env", {}, 0.0, "tiny"
    )


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_RUN_ID",
        "MLFLOW_TRACKING_URI",
        "PYTHONHOME",
        "THEANO_FLAGS",
        "THEANORC",
        "KERAS_FLOATX",
        "TF_XLA_FLAGS",
        "XLA_FLAGS",
        "OMP_PROC_BIND",
        "VIRTUAL_ENV",
        "PYTHONWARNINGS",
        "GOMP_CPU_AFFINITY",
        "LD_PRELOAD",
    ],
)
def test_settings_of_the_caller_do_not_reach_the_worker(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "of the caller")
    assert name not in worker_variables(environment, BACKEND, 2, "cpu")


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH"]
)
def test_places_of_the_caller_do(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/of/the/caller")
    assert worker_variables(environment, BACKEND, 2, "cpu")[name] == "/of/the/caller"


def test_every_library_gets_the_threads_whatever_the_caller_had(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    variables = worker_variables(environment, BACKEND, 3, "cpu")
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"):
        assert variables[f"{name}_NUM_THREADS"] == "3"
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"):
        assert variables[name] == "3"
    assert (variables["OMP_WAIT_POLICY"], variables["KMP_BLOCKTIME"]) == ("PASSIVE", "1")
    assert variables["GOMP_SPINCOUNT"] == "10000"


def test_keras_is_told_its_backend_and_a_home_of_its_own(
    environment: Environment, root: Path
) -> None:
    variables = worker_variables(environment, BACKEND, 1, "cpu")
    assert variables["KERAS_BACKEND"] == "theano"
    assert variables["KERAS_HOME"] == str(environment.folder / "keras")  # type: ignore[operator]
    assert variables["PYTHONPATH"] == str(root)
    assert variables["PYTHONNOUSERSITE"] == "1"


def test_cpu_hides_every_gpu(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    variables = worker_variables(environment, BACKEND, 1, "cpu")
    assert variables["CUDA_VISIBLE_DEVICES"] == "-1"
    assert variables["JAX_PLATFORMS"] == "cpu"


def test_gpu_shows_the_one(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    variables = worker_variables(environment, BACKEND, 1, "gpu", 3)
    assert (variables["CUDA_VISIBLE_DEVICES"], variables["CUDA_DEVICE_ORDER"]) == (
        "3",
        "PCI_BUS_ID",
    )
    assert (
        variables["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
        and variables["NVIDIA_TF32_OVERRIDE"] == "0"
    )
    assert worker_variables(environment, BACKEND, 1, "gpu")["CUDA_VISIBLE_DEVICES"] == "0,1"
    bare = worker_variables(environment, BACKEND, 1, "gpu", 0, memory_growth=False, tf32=True)
    assert not {"TF_FORCE_GPU_ALLOW_GROWTH", "NVIDIA_TF32_OVERRIDE"} & bare.keys()


def test_fix_and_configuration_have_the_last_word(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/cuda")
    fixed = replace(environment, variables={"LD_LIBRARY_PATH": "/mpi"})
    own = replace(BACKEND, variables={"OMP_WAIT_POLICY": "ACTIVE", "TF_CPP_MIN_LOG_LEVEL": "2"})
    variables = worker_variables(fixed, own, 1, "cpu")
    assert variables["LD_LIBRARY_PATH"] == "/mpi:/cuda"
    assert (variables["OMP_WAIT_POLICY"], variables["TF_CPP_MIN_LOG_LEVEL"]) == ("ACTIVE", "2")


def theano_target(folder: Path, kind: str = "cpu") -> Target:
    return Target(
        folder / "blas",
        Path("/opt/python"),
        True,
        kind,
        folder / "compiled" / "theano-1",
        lambda _: None,
    )


def test_theano_flags(tmp_path: Path) -> None:
    flags = theano_blas.variables(theano_target(tmp_path))["THEANO_FLAGS"]
    assert flags.startswith("floatX=float32,device=cpu,base_compiledir=")
    assert f"base_compiledir={tmp_path}/compiled/theano-1,openmp=False" in flags
    assert flags.endswith(rf"-lopenblas_plain -Wl\,-rpath\,{tmp_path}/blas")
    assert "device=cuda," in theano_blas.variables(theano_target(tmp_path, "gpu"))["THEANO_FLAGS"]


@pytest.mark.parametrize("name", ["two words", "a,comma"])
def test_theano_cannot_live_in_an_awkward_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(FixError, match="set KBB_CACHE"):
        theano_blas.variables(theano_target(tmp_path / name))


def test_theano_needs_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for ask in (theano_blas.require, theano_compiler.require, theano_compiler.variables):
        with pytest.raises(FixError, match=r"no C\+\+ compiler found"):
            ask(theano_target(tmp_path))


def test_compile_cache_is_cold_until_something_is_compiled(
    environment: Environment, tmp_path: Path
) -> None:
    assert compile_cache_state(environment) == "none"
    compiling = replace(environment, variables=theano_blas.variables(theano_target(tmp_path)))
    assert (compile_cache_state(compiling), compiled_functions(compiling)) == ("cold", 0)
    worker_variables(compiling, BACKEND, 1, "cpu")
    for name in ("tmp1", "tmp2"):
        function = tmp_path / "compiled" / "theano-1" / "compiledir_Linux-x86_64" / name
        function.mkdir(parents=True)
        (function / "key.pkl").touch()
    assert (compile_cache_state(compiling), compiled_functions(compiling)) == ("warm", 2)


def test_compile_folder_that_cannot_be_written_is_told(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "compiled").touch()
    compiling = replace(environment, variables=theano_blas.variables(theano_target(tmp_path)))
    with pytest.raises(NotInstalled, match="where compiled functions are kept; set KBB_CACHE"):
        worker_variables(compiling, BACKEND, 1, "cpu")
