"""The machine's side: interpreters, devices, compilers, disks."""

import os
import platform
import shutil
import sys
from pathlib import Path

from experiments.config import members
from experiments.doctor.section import MISSING, OK, OPTIONAL, Section
from experiments.system import host
from experiments.system.files import size
from experiments.system.paths import cache_root, project_root, runs_root

# What one environment takes (TensorFlow 2 with its wheels), and what the prepared data of all tasks
# take.
ENVIRONMENT_BYTES, DATA_BYTES = 2_500_000_000, 1_000_000_000


def interpreters(default_python: str) -> Section:
    """This interpreter, and the Pythons that environments are made from.

    `default_python`: the version that the default backend's environment still needs, "" if it is
    built already.
    """
    from experiments.environments import install
    from experiments.environments import interpreters as pythons
    from experiments.environments.interpreters import install_hint
    from experiments.environments.specification import read

    section = Section("Interpreters")
    section.add("this project's", OK, f"{platform.python_version()} ({sys.executable})")
    wanted = sorted({read(each.environment, "cpu").python for each in members.backends().values()})
    conda = install.conda_program()
    section.add(
        "conda", OK if conda else OPTIONAL, str(conda or "not on PATH; the Pythons below are used")
    )
    uv = pythons.uv_program()
    section.add("uv", OK if uv else OPTIONAL, str(uv or "not found; pip is used, which is slower"))
    for minor in wanted:
        found = pythons.find(minor)
        if found:
            section.add(f"Python {minor}", OK, f"{found.version} ({found.origin}: {found.path})")
        elif conda:
            section.add(f"Python {minor}", OK, f"{conda.name} installs it")
        else:
            fix = install_hint(minor)
            section.add(f"Python {minor}", MISSING, "", fix, needed=minor == default_python)
    return section


def devices_here() -> Section:
    """The processor and the GPUs."""
    from experiments.system.threads import usable_cores, usable_processors

    section = Section("Devices")
    threads = f"{usable_cores()} cores, {usable_processors()} hardware threads usable"
    section.add("CPU", OK, f"{host.cpu_model()}, {threads}, load {host.load_average() or 0:.1f}")
    from experiments.system.gpu import present_gpus

    found = present_gpus()
    for gpu in found:
        versions = f"capability {gpu.capability}, driver {gpu.driver}"
        section.add(f"GPU {gpu.index}", OK, f"{gpu.name}, {size(gpu.memory_bytes)}, {versions}")
    if not found:
        section.add("GPU", OPTIONAL, "none found by the NVIDIA driver; gpu=auto uses the CPU")
    return section


def compilers() -> Section:
    """Programs that some backends need, and git."""
    section = Section("Programs")
    compiler = next(
        (found for name in ("g++", "c++", "clang++") if (found := shutil.which(name))), None
    )
    if compiler:
        section.add("C++ compiler", OK, compiler)
    else:
        section.add("C++ compiler", MISSING, "Theano compiles its functions with it",
                    "install g++ with your system's package manager")  # fmt: skip
    git = shutil.which("git")
    section.add(
        "git", OK if git else OPTIONAL, git or "not found; runs are stored without their commit"
    )
    return section


def disks(build_needed: bool) -> Section:
    """Where things are kept, whether the folder can be written, and how much space is free."""
    section = Section("Folders")
    need = DATA_BYTES + (ENVIRONMENT_BYTES if build_needed else 0)
    for what, path, variable, least in (
        ("cache", cache_root(), "KBB_CACHE", need),
        ("runs", runs_root(), "KBB_RUNS", 50_000_000),
        ("project", project_root(), None, 50_000_000),
    ):
        there = _nearest(path)
        free = shutil.disk_usage(there).free
        detail = f"{path}, {size(free)} free"
        elsewhere = (
            f"export {variable}=/a/folder/elsewhere"
            if variable
            else "move the checkout to another disk"
        )
        if not os.access(there, os.W_OK):
            section.add(what, MISSING, f"{path} cannot be written", elsewhere, needed=True)
        elif free < least:
            section.add(
                what, MISSING, f"{detail}; {size(least)} may be needed", elsewhere, needed=True
            )
        else:
            section.add(what, OK, detail)
    return section


def _nearest(path: Path) -> Path:
    """The folder itself, or the one that it would be made in."""
    return path if path.exists() else next(parent for parent in path.parents if parent.exists())
