"""Small environments for tests: nothing is downloaded, and each takes a fraction of a second."""

import sys
import zipfile
from pathlib import Path
from typing import Any

from experiments.config.schema import BackendConfig

THIS_PYTHON = "{}.{}".format(*sys.version_info)


def environment_file(
    folder: Path, name: str = "tiny", python: str = THIS_PYTHON, *pins: str, more: str = ""
) -> Path:
    """A conda environment file with some pins."""
    path = folder / f"{name}.yaml"
    listed = "".join(f"      - {pin}\n" for pin in pins)
    head = f"name: {name}\nchannels:\n  - conda-forge\n"
    text = f"{head}dependencies:\n  - python={python}\n  - pip\n{more}"
    path.write_text(text + (f"  - pip:\n{listed}" if pins else ""))
    return path


def backend(file: Path | str, **changes: Any) -> BackendConfig:
    """A backend that lives in the environment of `file`."""
    values = {
        "name": "tiny",
        "title": "Tiny",
        "keras_backend": "theano",
        "keras_generation": 2,
        "environment": str(file),
    }
    return BackendConfig(**{**values, **changes})


def wheel(folder: Path, name: str = "tinywheel", version: str = "1.5") -> Path:
    """A wheel with one module, made here."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class Lines(list[str]):
    """Collects what is said; `lines(text)` is what to hand over as `say`."""

    def __call__(self, line: str) -> None:
        self.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self)
