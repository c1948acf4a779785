"""A fast BLAS for Theano: a current OpenBLAS, and the flags that make Theano compile against it.

Without one Theano falls back to NumPy's, two to three times slower. The OpenBLAS of
scipy-openblas32 has every name prefixed with ``scipy_``; a shim library jumps from the plain names
to those.
"""

import platform
import re
import shutil
import sys
from pathlib import Path

from experiments.environments.fixes import FixError, Target, capture
from experiments.environments.fixes.theano_compiler import compiler
from experiments.environments.install import uv_settings
from experiments.environments.interpreters import uv_program

OPENBLAS = "scipy-openblas32==0.3.34.481.3"
_SHIM = "libopenblas_plain.so"
_JUMP = {"x86_64": "jmp scipy_{name}@PLT", "aarch64": "b scipy_{name}"}
_HEADER = (
    "import os, sysconfig;"
    "print(os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h')))"
)


def require(target: Target) -> None:
    """A C++ compiler, nm, a known processor, and a cache whose path fits into Theano's flags."""
    _refuse_awkward_path(target.folder)
    compiler()
    _nm()
    _jump()


def apply(target: Target) -> None:
    """Fetch OpenBLAS into the fix's folder and compile the shim beside it."""
    program, jump = compiler(), _jump()
    if capture([target.python, "-c", _HEADER], target).strip() != "True":
        raise FixError(
            f"{target.python} has no Python.h, which Theano compiles against; "
            "use a Python with headers"
        )
    library = _fetch(target)
    names = re.findall(
        r"\bT scipy_(\w+)", capture([_nm(), "-D", "--defined-only", library], target)
    )
    if "sgemm_" not in names:
        raise FixError(f"{library} has no scipy_sgemm_: not the OpenBLAS this fix knows")
    source = target.folder / "shim.c"
    source.write_text("".join(_entry(name, jump) for name in sorted(set(names))), encoding="ascii")
    unfinished = target.folder / f".{_SHIM}.partial"
    run_path = f"-Wl,-rpath,{library.parent}"
    capture(
        [
            *(program, "-shared", "-fPIC", "-O1", f"-Wl,-soname,{_SHIM}", "-o", unfinished),
            *("-x", "c", source, "-x", "none", library, run_path),
        ],
        target,
    )
    unfinished.replace(target.folder / _SHIM)


def variables(target: Target) -> dict[str, str]:
    """THEANO_FLAGS: float32, device, the folder of compiled functions, and the BLAS."""
    _refuse_awkward_path(target.compiled)
    flags = [
        "floatX=float32",
        f"device={'cuda' if target.kind == 'gpu' else 'cpu'}",
        f"base_compiledir={target.compiled}",
        "openmp=False",
        f"blas.ldflags=-L{target.folder} -lopenblas_plain -Wl\\,-rpath\\,{target.folder}",
    ]
    return {"THEANO_FLAGS": ",".join(flags), "MKL_THREADING_LAYER": "GNU"}


def _refuse_awkward_path(path: Path) -> None:
    if re.search(r"[\s,\\]", str(path)):
        raise FixError(
            f"Theano's flags allow no blank or comma in a path: {path}; "
            "set KBB_CACHE to another folder"
        )


def _nm() -> str:
    found = shutil.which("nm")
    if found is None:
        raise FixError("no nm found, which the BLAS shim is made with; install binutils")
    return found


def _jump() -> str:
    machine = platform.machine()
    if machine not in _JUMP:
        raise FixError(
            f"the BLAS shim for Theano is not known for {machine}; it is for: {', '.join(_JUMP)}"
        )
    return _JUMP[machine]


def _fetch(target: Target) -> Path:
    """Install the wheel into the fix's folder with our installer: Theano's pip is too old."""
    place = target.folder / "wheel"
    uv = uv_program()
    shutil.rmtree(place, ignore_errors=True)
    if uv is not None:
        installer = [str(uv), "pip", "install", "--python", sys.executable, *uv_settings()]
    else:
        installer = [sys.executable, "-m", "pip", "install"]
    capture([*installer, "--no-deps", "--target", place, OPENBLAS], target)
    library = place / "scipy_openblas32" / "lib" / "libscipy_openblas.so"
    if not library.exists():
        raise FixError(f"{OPENBLAS} has no {library.name}")
    return library


def _entry(name: str, jump: str) -> str:
    code = f".text\\n.globl {name}\\n.type {name},%function\\n{name}: {jump.format(name=name)}\\n"
    return f'__asm__("{code}");\n'
