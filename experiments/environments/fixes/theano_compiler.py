"""The C++ compiler that Theano calls for each operation of a network, with precompiled headers.

A recurrent network has over a hundred operations, each a C++ file, and g++ spends half of its time
on the headers of Python and of the C++ library. A script in its place names a precompiled header,
which g++ takes where all flags agree; where they do not, it reads the header itself. The compiled
functions are the same. Theano's own setting for more flags (gcc.cxxflags) will not do: with it,
Theano no longer finds out what the processor can do.
"""

import shlex
import shutil
from pathlib import Path

from experiments.environments.fixes import FixError, Target, capture

_HEADER = "theano_headers.h"
_INCLUDED = ("Python.h", "iostream", "vector", "algorithm", "math.h")
# What Theano's operations add to the flags of its compiler (CLinker.compile_args in
# theano/gof/cc.py, GCC_compiler.compile_str in theano/gof/cmodule.py).
_FLAGS = ("-g", "-O3", "-fno-math-errno", "-fvisibility=hidden")
# -march=native will not do: Theano spells out what it stands for, which g++ takes for other flags.
_ASK = (
    "import os, sys, sysconfig\n"
    "os.environ['THEANO_FLAGS'] = 'cxx=%s,base_compiledir=%s' % tuple(sys.argv[1:])\n"
    "from theano.gof.cmodule import GCC_compiler\n"
    "print('-I' + sysconfig.get_paths()['include'])\n"
    "print('\\n'.join(GCC_compiler.compile_args()))\n"
)
_SCRIPT = """#!/bin/sh
case " $* " in *" -shared "*) exec {compiler} -include {header} "$@" ;; esac
exec {compiler} "$@"
"""


def require(_: Target) -> None:
    """A C++ compiler."""
    compiler()


def apply(target: Target) -> None:
    """Write Theano's settings: the script as compiler, or where it cannot be made, the compiler.

    Headers save time alone, so what goes wrong with them is logged and ends no build.
    """
    found = compiler()
    try:
        if "Free Software Foundation" not in capture([found, "--version"], target):
            raise FixError(f"{found} is not GNU's")
        found = _with_headers(found, target)
    except FixError as error:
        target.log(f"{error}: Theano compiles without precompiled headers")
    _settings(target).write_text(f"[global]\ncxx = {found}\n", encoding="utf-8")


def _with_headers(found: str, target: Target) -> str:
    """The path of a script that calls the compiler with the header that is compiled here."""
    scratch = target.folder / "scratch"
    try:
        flags = capture([target.python, "-c", _ASK, found, scratch], target).splitlines()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    header = target.folder / _HEADER
    header.write_text("".join(f"#include <{name}>\n" for name in _INCLUDED), encoding="ascii")
    product = header.with_name(f"{_HEADER}.gch")
    capture([found, *_FLAGS, *flags, "-x", "c++-header", "-o", product, header], target)
    script = target.folder / "g++"
    text = _SCRIPT.format(compiler=shlex.quote(found), header=shlex.quote(str(header)))
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def variables(target: Target) -> dict[str, str]:
    """THEANORC: the file of Theano's settings that names the compiler."""
    compiler()
    return {"THEANORC": str(_settings(target))}


def compiler() -> str:
    """The path of a C++ compiler; FixError without one."""
    for name in ("g++", "c++", "clang++"):
        found = shutil.which(name)
        if found:
            return found
    raise FixError(
        "no C++ compiler found (g++, c++, clang++); Theano compiles its functions with it: "
        "install g++"
    )


def _settings(target: Target) -> Path:
    return target.folder / "theanorc"
