"""CNTK's MPI stand-in, really compiled and loaded, for a CNTK that asks for a few symbols."""

import ctypes
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from experiments.environments import fixes
from experiments.environments.fixes import FixError, Target, cntk_mpi, theano_compiler
from experiments.errors import ConfigError
from tests.support.environment_files import script

needs_compiler = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("nm")),
    reason="no C compiler or binutils on this machine",
)
CORE = "extern int MPI_Initialized(int *); extern int MPI_Send(void); extern char ompi_mpi_int[];\n"
CORE += "int core(void) { int f = 7; MPI_Initialized(&f); return f; }\n"
CORE += "int send(void) { return MPI_Send(); }\nchar *kind(void) { return ompi_mpi_int; }\n"


@pytest.fixture
def cntk(tmp_path: Path) -> Path:
    """The library folder of a CNTK that only has what the fix looks at."""
    libraries = tmp_path / "packages" / "cntk" / "libs"
    libraries.mkdir(parents=True)
    (libraries.parent / "__init__.py").touch()
    source = tmp_path / "core.c"
    source.write_text(CORE)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", libraries / "libCntk.Core-2.7.so", source], check=True
    )
    return libraries


def target(folder: Path, owned: bool) -> Target:
    python = script(
        folder / "python", f'PYTHONPATH={folder / "packages"} exec {sys.executable} "$@"'
    )
    products = folder / "fix"
    products.mkdir(exist_ok=True)
    return Target(products, python, owned, "cpu", folder / "compiled", lambda _: None)


@needs_compiler
def test_stand_in_answers_initialized_and_aborts_on_all_else(cntk: Path, tmp_path: Path) -> None:
    built = target(tmp_path, owned=True)
    cntk_mpi.apply(built)
    assert cntk_mpi.variables(built) == {}
    ctypes.CDLL(str(cntk / "libmpi_cxx.so.1"))
    load = f"import ctypes; ctypes.CDLL({str(cntk / 'libmpi.so.12')!r}, ctypes.RTLD_GLOBAL);"
    load += f"core = ctypes.CDLL({str(cntk / 'libCntk.Core-2.7.so')!r});"
    told = subprocess.check_output([sys.executable, "-c", f"{load} print(core.core())"], text=True)
    assert told.strip() == "0"
    done = subprocess.run(
        [sys.executable, "-c", f"{load} core.send()"], capture_output=True, text=True, check=False
    )
    assert done.returncode < 0
    assert "MPI_Send: CNTK runs here as a single process without MPI" in done.stderr


@needs_compiler
def test_interpreter_of_the_user_is_not_written_to(cntk: Path, tmp_path: Path) -> None:
    built = target(tmp_path, owned=False)
    cntk_mpi.apply(built)
    assert cntk_mpi.variables(built) == {"LD_LIBRARY_PATH": str(built.folder)}
    assert {path.name for path in cntk.iterdir()} == {"libCntk.Core-2.7.so"}


@needs_compiler
def test_cntk_that_asks_for_no_mpi_is_not_the_one_that_is_known(cntk: Path, tmp_path: Path) -> None:
    source = tmp_path / "core.c"
    source.write_text("int core(void) { return 0; }\n")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", cntk / "libCntk.Core-2.7.so", source], check=True
    )
    with pytest.raises(FixError, match="ask for no MPI symbols"):
        cntk_mpi.apply(target(tmp_path, owned=True))


@needs_compiler
def test_compiler_is_asked_for_by_name(
    cntk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = target(tmp_path, owned=True)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FixError, match=r"needs a C compiler and binutils \(gcc, nm\)"):
        cntk_mpi.apply(built)


def test_missing_cntk_is_told(tmp_path: Path) -> None:
    with pytest.raises(FixError, match="CNTK is not installed there"):
        cntk_mpi.apply(target(tmp_path, owned=True))


def test_fixes_are_found_by_name_and_the_choices_told() -> None:
    assert fixes.find("theano_blas").OPENBLAS.startswith("scipy-openblas32==")
    with pytest.raises(
        ConfigError,
        match="there is no fix 'nope'; choose from cntk_mpi, theano_blas, theano_compiler",
    ):
        fixes.find("nope")


def test_digest_tells_fixes_apart() -> None:
    assert len({fixes.digest(names) for names in ([], ["cntk_mpi"], ["theano_blas"])}) == 3


def test_step_that_fails_is_told_by_its_last_line(tmp_path: Path) -> None:
    failing = script(
        tmp_path / "cc", "echo first >&2; echo 'fatal error: no input files' >&2; exit 1"
    )
    with pytest.raises(FixError, match="cc: fatal error: no input files"):
        fixes.capture([failing], target(tmp_path, owned=True))


THEANO = """
class GCC_compiler:
    @staticmethod
    def compile_args():
        return ["-msse4.2", "-DNPY_NO_DEPRECATED_API=1", "-fPIC"]
"""


def compile_by(fix: Target, folder: Path, *flags: str) -> str:
    """What the compiler that Theano is told of prints as it compiles a module of one line."""
    settings = Path(theano_compiler.variables(fix)["THEANORC"]).read_text().splitlines()
    assert settings[0] == "[global]"
    module = folder / "mod.cpp"
    module.write_text("#include <Python.h>\nPyObject *none() { return Py_None; }\n")
    include = sysconfig.get_paths()["include"]
    command = [settings[1].removeprefix("cxx = "), "-shared", "-g", "-O3", "-fno-math-errno"]
    command += [
        *flags,
        "-DNPY_NO_DEPRECATED_API=1",
        "-fPIC",
        f"-I{include}",
        "-fvisibility=hidden",
        "-H",
    ]
    product = folder / "mod.so"
    product.unlink(missing_ok=True)
    done = subprocess.run(
        [*command, "-o", product, module], capture_output=True, text=True, check=True
    )
    assert product.exists()
    return done.stderr


@pytest.mark.skipif(not shutil.which("g++"), reason="no g++ on this machine")
def test_theano_compiles_with_precompiled_headers_where_the_flags_agree(tmp_path: Path) -> None:
    package = tmp_path / "packages" / "theano" / "gof"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "cmodule.py").write_text(THEANO)
    fix = target(tmp_path, owned=True)
    theano_compiler.apply(fix)
    precompiled = f"! {fix.folder}/theano_headers.h.gch"
    assert precompiled in compile_by(fix, tmp_path, "-msse4.2")
    other = compile_by(fix, tmp_path, "-mno-sse4.2")
    assert precompiled not in other
    assert other.startswith("x ")  # refused; the header itself was read, or there were no module


@pytest.mark.parametrize("version", ["clang version 14.0.6", "Free Software Foundation"])
def test_without_headers_the_compiler_is_called_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    other = script(tmp_path / "g++", f"echo {version}")
    monkeypatch.setenv("PATH", str(tmp_path))
    fix = target(tmp_path, owned=True)  # of a Python that has no Theano
    theano_compiler.apply(fix)
    assert Path(theano_compiler.variables(fix)["THEANORC"]).read_text() == (
        f"[global]\ncxx = {other}\n"
    )
