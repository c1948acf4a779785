"""Finding a Python: pyenv's, uv's, one on PATH, and one that the user names."""

import json
import sys
from pathlib import Path

import pytest

from experiments.environments import ensure, interpreters
from experiments.errors import NotInstalled
from tests.support.environment_files import THIS_PYTHON, Lines, backend, script


def answering(path: Path, version: str) -> Path:
    """A program that answers the question for its version as a Python would."""
    facts = json.dumps({"version": version, "bits": 64, "base": str(path), "prefix": "/nowhere"})
    return script(path, f"echo '{facts}'")


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only Pythons are those that the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(interpreters, "uv_program", lambda: None)
    for name in ("CONDA_EXE", "MAMBA_EXE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_this_python_is_found_outside_its_virtual_environment() -> None:
    found = interpreters.find(THIS_PYTHON)
    assert found is not None
    assert found.minor == THIS_PYTHON
    assert not (found.path.parent.parent / "pyvenv.cfg").exists()


def test_uv_is_asked_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    known = script(
        tmp_path / "uv",
        f'[ "$1 $2" = "python find" ] && echo {answering(tmp_path / "p36", "3.6.9")}',
    )
    monkeypatch.setattr(interpreters, "uv_program", lambda: known)
    assert interpreters.find("3.6") == interpreters.Interpreter(tmp_path / "p36", "3.6.9", "uv")


def test_nothing_is_found_where_nothing_is(bare_machine: Path) -> None:
    assert interpreters.find("3.6") is None


def test_newest_pyenv_version_that_runs_is_taken(bare_machine: Path) -> None:
    versions = bare_machine / "pyenv" / "versions"
    answering(versions / "3.6.9" / "bin" / "python3.6", "3.6.9")
    answering(versions / "3.6.10" / "bin" / "python3.6", "3.6.10")
    script(versions / "3.6.15" / "bin" / "python3.6", "exit 127")
    (versions / "3.6-dev").mkdir()
    assert interpreters.find("3.6") == interpreters.Interpreter(
        versions / "3.6.10" / "bin" / "python3.6", "3.6.10", "pyenv"
    )


def test_shim_that_does_not_run_is_passed_over(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(bare_machine / "bin" / "python3.6", "echo 'command not found' >&2; exit 127")
    answering(bare_machine / "more" / "python3.6", "3.6.8")
    monkeypatch.setenv("PATH", f"{bare_machine / 'bin'}:{bare_machine / 'more'}:/bin")
    found = interpreters.find("3.6")
    assert found is not None
    assert (found.version, found.origin) == ("3.6.8", "PATH")


def test_python_of_another_version_under_the_name_is_passed_over(bare_machine: Path) -> None:
    answering(bare_machine / "bin" / "python3.6", "3.7.1")
    assert interpreters.find("3.6") is None


def named(path: Path) -> str:
    with pytest.raises(NotInstalled) as refused:
        ensure(backend("tiny", python=str(path)), "cpu", Lines())
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_named_interpreter_must_be_there(tmp_path: Path, kbb_cache: Path) -> None:
    assert "there is no such file" in named(tmp_path / "nope")
    assert not kbb_cache.exists()


def test_named_file_must_run(tmp_path: Path, kbb_cache: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello")
    assert "does not run as Python 3 (Permission denied)" in named(text)
    assert "does not run as Python 3 (broken)" in named(
        script(tmp_path / "python", "echo broken >&2; exit 3")
    )


def test_named_interpreter_must_have_keras_and_the_engine(kbb_cache: Path) -> None:
    assert "has no keras and theano" in named(Path(sys.executable))


def test_named_interpreter_is_used_as_it_is(tmp_path: Path, kbb_cache: Path) -> None:
    for module in ("keras", "theano"):
        (tmp_path / "packages" / module).mkdir(parents=True)
        (tmp_path / "packages" / module / "__init__.py").touch()
    python = script(
        tmp_path / "python", f'PYTHONPATH={tmp_path / "packages"} exec {sys.executable} "$@"'
    )
    found = ensure(backend("tiny", python=str(python)), "cpu", Lines())
    assert (found.python, found.manager) == (python, "named")
    assert found.folder is not None and found.folder.is_relative_to(kbb_cache)
    marker = found.folder / "complete.json"
    written = marker.stat().st_mtime_ns
    again = ensure(backend("tiny", python=str(python)), "cpu", Lines())
    assert again.key == found.key and marker.stat().st_mtime_ns == written, "it is prepared once"
    (tmp_path / "packages" / "theano-1.0.5.dist-info").mkdir()
    assert ensure(backend("tiny", python=str(python)), "cpu", Lines()).key != found.key
