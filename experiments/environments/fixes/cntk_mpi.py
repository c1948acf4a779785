"""CNTK's missing MPI: a stand-in for the OpenMPI 1.10 libraries that its wheel was linked with.

CNTK loads libmpi.so.12 and libmpi_cxx.so.1 when it is imported, yet a single process calls none of
their functions but MPI_Initialized. The stand-in has every symbol CNTK's libraries ask for:
MPI_Initialized answers "no", every other function says its name and aborts, so that nothing can go
wrong unseen.
"""

import re
import shutil
from pathlib import Path

from experiments.environments.fixes import FixError, Target, capture

_WANTED = re.compile(r"\b(?P<kind>[UwW])\s+(?P<name>(?:MPI_|ompi_|_ZN3MPI)\w+)")
_FUNCTION = re.compile(r"MPI_|_Z|ompi_op_set_cxx_callback|ompi_mpi_cxx_op_intercept")
_OBJECT_BYTES = 1024  # OpenMPI's predefined handles are padded to 512 bytes at most
_COMPILERS = ("cc", "gcc", "clang")
_LIBRARIES = ("libmpi.so.12", "libmpi_cxx.so.1")
_LOCATE = (
    "import importlib.util, ctypes, os;"
    "spec = importlib.util.find_spec('cntk');"
    "print(os.path.join(os.path.dirname(spec.origin), 'libs') if spec else '')"
)
_LOADS = f"import ctypes; [ctypes.CDLL(name) for name in {_LIBRARIES[:1]!r}]"


def require(_: Target) -> None:
    """A C compiler and nm."""
    for names in (_COMPILERS, ("nm",)):
        _program(*names)


def apply(target: Target) -> None:
    """Compile the stand-in into CNTK's library folder (its run path) or the fix's folder."""
    libraries = _library_folder(target)
    if not target.owned and _has_mpi(target, libraries):
        return
    place = libraries if target.owned else target.folder
    place.mkdir(parents=True, exist_ok=True)
    compiler = _program(*_COMPILERS)
    source = target.folder / "mpi.c"
    source.write_text(_source(_wanted_symbols(libraries, target)), encoding="ascii")
    empty = target.folder / "empty.c"
    empty.write_text("typedef int nothing;\n", encoding="ascii")
    for name, content in zip(_LIBRARIES, (source, empty), strict=True):
        unfinished = place / f".{name}.partial"
        capture(
            [
                compiler,
                "-shared",
                "-fPIC",
                "-O1",
                "-w",
                f"-Wl,-soname,{name}",
                "-o",
                unfinished,
                content,
            ],
            target,
        )
        unfinished.replace(place / name)


def variables(target: Target) -> dict[str, str]:
    """LD_LIBRARY_PATH, only if the stand-in is not on CNTK's own run path."""
    if (target.folder / _LIBRARIES[0]).exists():
        return {"LD_LIBRARY_PATH": str(target.folder)}
    return {}


def _library_folder(target: Target) -> Path:
    place = capture([target.python, "-c", _LOCATE], target).strip()
    if not place or not Path(place).is_dir():
        raise FixError("CNTK is not installed there")
    return Path(place)


def _has_mpi(target: Target, libraries: Path) -> bool:
    if all((libraries / name).exists() for name in _LIBRARIES):
        return True
    try:
        capture([target.python, "-c", _LOADS], target)
    except FixError:
        return False
    return True


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise FixError(
        f"no {names[0]} found: CNTK's MPI stand-in needs a C compiler and binutils (gcc, nm)"
    )


def _wanted_symbols(libraries: Path, target: Target) -> list[str]:
    """The MPI symbols that CNTK's libraries leave undefined."""
    files = sorted(libraries.glob("libCntk.*.so"))
    if not files:
        raise FixError(f"no CNTK libraries in {libraries}")
    listing = capture([_program("nm"), "-D", "--undefined-only", *files], target)
    wanted = sorted({match["name"] for match in _WANTED.finditer(listing)})
    if not wanted:
        raise FixError(
            f"CNTK's libraries in {libraries} ask for no MPI symbols: not the CNTK this fix knows"
        )
    return wanted


def _source(symbols: list[str]) -> str:
    """C source of a library that defines `symbols`."""
    lines = [
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "static int refuse(const char *name) {",
        '    fprintf(stderr, "%s: CNTK runs here as a single process without MPI\\n", name);',
        "    abort();",
        "    return 1;",
        "}",
    ]
    for name in symbols:
        if name == "MPI_Initialized":
            lines.append("int MPI_Initialized(int *flag) { *flag = 0; return 0; }")
        elif _FUNCTION.match(name):
            lines.append(f'int {name}(void) {{ return refuse("{name}"); }}')
        else:
            lines.append(f"char {name}[{_OBJECT_BYTES}];")
    return "\n".join(lines) + "\n"
