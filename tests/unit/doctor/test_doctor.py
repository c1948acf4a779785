"""The doctor finds what is missing, names the command that fixes it, and changes nothing."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.config import members
from experiments.doctor import machine, project
from experiments.doctor.checks import survey
from experiments.doctor.render import show
from experiments.doctor.section import MISSING, OK, OPTIONAL, STALE, Row, Section
from experiments.environments import ensure, install
from experiments.environments import interpreters as pythons
from experiments.errors import NotInstalled
from experiments.system.files import size
from tests.support.journals import complete_journal


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches, runs and a store that are empty."""
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KBB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


def row(section: Section, what: str) -> Row:
    return next(found for found in section.rows if found.what == what)


def test_fresh_checkout_lacks_the_default_environment_alone(
    capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    if not any(pythons.find(minor) for minor in ("3.6",)) and install.conda_program() is None:
        pytest.skip("no Python 3.6 and no conda here, so more is missing")
    found = survey()
    assert [each.what for section in found for each in section.broken] == ["tensorflow"]
    assert show(found) == 1
    said = capsys.readouterr().out
    assert "python -m experiments env build tensorflow\n" in said
    assert "Needed for a default run:" in said and "\x1b" not in said
    assert (
        not (place / "cache").exists()
        and not (place / "runs").exists()
        and not (place / "mlflow.db").exists()
    )


def test_environment_states(place: Path) -> None:
    from experiments.environments import soundness
    from experiments.environments.build import recipe_of

    backend = members.backends()["jax"]
    recipe = recipe_of(backend, "cpu")
    folder = place / "cache" / "envs" / f"{recipe.name}-0123456789ab"
    folder.mkdir(parents=True)
    assert row(project.environments(False), "jax").state == MISSING
    facts = {
        "name": "jax",
        "content": recipe.content,
        "key": "0123456789ab",
        "manager": "venv",
        "version": "3.11.9",
        "python": "python",
        "bytes": 670_000_000,
    }
    (folder / "python").symlink_to(sys.executable)
    (folder / "complete.json").write_text(json.dumps(facts))
    built = row(project.environments(False), "jax")
    assert built.state == OK and built.fix is None
    assert built.detail == "Python 3.11.9 (venv), 670.0 MB, engine not checked yet"
    soundness.checks_folder().mkdir()
    kept = soundness.checks_folder() / f"{folder.name}-aa.json"
    check = {"name": "adam.step_1", "value": 1.0, "limit": 0.1, "passed": False, "seconds": 0.1}
    for passed, told in (
        (True, "engine sound (cases checked: 1)"),
        (False, "engine UNSOUND: adam"),
    ):
        cases = {"adam": [{**check, "passed": passed}]}
        kept.write_text(json.dumps({"schema": 2, "cases": cases}))
        assert row(project.environments(False), "jax").detail.endswith(told)
    (folder / "complete.json").write_text(json.dumps({**facts, "content": "another"}))
    stale = row(project.environments(False), "jax")
    assert stale.state == STALE and stale.fix == "python -m experiments env build jax"
    assert [each.what for each in project.environments(True).rows if "GPU" in each.what]


def test_data_states(place: Path) -> None:
    section = project.data()
    assert row(section, "MNIST").state == OPTIONAL and "data fetch mnist" in str(
        row(section, "MNIST").fix
    )
    downloads = place / "cache" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "mnist.npz").write_bytes(b"not the publisher's")
    (downloads / "nietzsche.txt").write_text("no sum is published for this one")
    section = project.data()
    assert row(section, "MNIST").state == "corrupted"
    assert (
        row(section, "MNIST").fix
        == "python -m experiments data clean --kind downloads --name mnist.npz"
    )
    assert row(section, "Nietzsche").state in (OK, "corrupted")
    assert row(section, "prepared arrays").detail.startswith("0 entries")
    (place / "cache" / "prepared" / "mnist-0011").mkdir(parents=True)
    assert (
        row(project.data(), "prepared arrays").fix
        == "python -m experiments data clean --kind prepared"
    )


def test_store_states(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.store().rows[0].detail == "is created by the first run"
    database = sqlite3.connect(place / "mlflow.db")
    database.execute("CREATE TABLE runs (run_uuid TEXT)")
    database.execute("INSERT INTO runs VALUES ('a')")
    database.commit()
    database.close()
    assert project.store().rows[0].state == OK and project.store().rows[0].detail.startswith(
        "1 runs"
    )
    (place / "mlflow.db").write_text("something else entirely, and long enough" * 20)
    broken = project.store()
    assert broken.rows[0].state == "unusable" and broken.broken
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    begin = time.monotonic()
    assert project.store().rows[0].state == "no answer" and time.monotonic() - begin < 5
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user:secret@host/db")
    assert project.store().rows[0].what == "postgresql://user:***@host/db"


def test_journals_that_wait_are_found(place: Path) -> None:
    assert row(project.store(), "journals").state == OK
    path = complete_journal(place / "runs" / "one")
    waiting = row(project.store(), "journals")
    assert waiting.state == STALE and waiting.fix == f"python -m experiments journal ingest {path}"
    complete_journal(place / "runs" / "two")
    assert str(row(project.store(), "journals").fix).endswith("runs/*/events.jsonl")


def test_interpreter_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythons, "find", lambda minor: None)
    monkeypatch.setattr(install, "conda_program", lambda: None)
    section = machine.interpreters("3.6")
    assert row(section, "Python 3.6").fix == "pyenv install 3.6.15" and section.broken == [
        row(section, "Python 3.6")
    ]
    assert row(section, "Python 3.11").fix == pythons.install_hint("3.11")
    assert machine.interpreters("").broken == []
    monkeypatch.setattr(install, "conda_program", lambda: Path("/opt/conda"))
    assert row(machine.interpreters("3.6"), "Python 3.6").state == OK


@pytest.mark.parametrize(("name", "minor"), [("theano", "3.6"), ("jax", "3.11")])
def test_a_build_gives_the_same_hint(
    place: Path, name: str, minor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pythons, "find", lambda minor: None)
    monkeypatch.setattr(install, "conda_program", lambda: None)
    fix = row(machine.interpreters(minor), f"Python {minor}").fix
    with pytest.raises(NotInstalled) as refusal:
        ensure(members.backends()[name], "cpu", lambda _: None)
    assert f"install it with `{fix}`" in str(refusal.value)


def test_disk_that_is_full_or_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.disks(True).broken == []
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    broken = machine.disks(True).broken
    assert [each.fix for each in broken][:2] == [
        "export KBB_CACHE=/a/folder/elsewhere",
        "export KBB_RUNS=/a/folder/elsewhere",
    ]


def test_compiler_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    section = machine.compilers()
    assert row(section, "C++ compiler").state == MISSING and section.broken == [], (
        "the default backend needs none"
    )


def test_section_that_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Section:
        raise OSError("Permission denied")

    monkeypatch.setattr(project, "data", fail)
    broken = [each for section in survey() for each in section.broken]
    assert any(each.detail == "Permission denied" for each in broken)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nose"], "no command 'nose'; choose from doctor, env, data, journal, server"),
        (["data", "wash"], "choose from list, fetch, clean"),
        (["data", "fetch", "cifar100"], "not one of 'cifar10', 'imdb', 'mnist', 'nietzsche'"),
        (["data", "fetch", "dataset=mnist"], "not one of 'cifar10', 'imdb', 'mnist', 'nietzsche'"),
        (["data", "clean", "--kind", "some"], "not one of 'all', 'downloads', 'prepared'"),
        (["env", "wash"], "choose from list, build, check, clean"),
        (["doctor", "env"], "unexpected extra argument (env)"),
    ],
)
def test_refused_in_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and says in said


def test_lists_and_cleans(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    downloads = place / "cache" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "mnist.npz").write_bytes(b"x" * 5000)
    assert main(["data", "list"]) == 0 and "mnist.npz" in capsys.readouterr().out
    assert (
        main(["data", "clean", "--name", "mnist"]) == 0
        and "5.0 kB freed" in capsys.readouterr().out
    )
    assert not (downloads / "mnist.npz").exists()
    assert (
        main(["env", "list", "jax", "--kind", "cpu"]) == 0 and "missing" in capsys.readouterr().out
    )
    assert main(["--help"]) == 0 and "\n  env " in capsys.readouterr().out


def test_fetch_takes_what_is_there(
    capsys: pytest.CaptureFixture[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments import datasets

    asked: list[str] = []

    def files(dataset: object, say: Callable[[str], None]) -> dict[str, Path]:
        asked.append(dataset.name)  # type: ignore[attr-defined]
        return {"a": place / "a"}

    monkeypatch.setattr(datasets, "official_files", files)
    assert main(["data", "fetch", "imdb"]) == 0 and asked == ["imdb"]
    assert main(["data", "fetch"]) == 0 and len(asked) == 5
    assert str(place / "a") in capsys.readouterr().out


def test_command_starts_no_heavy_import(root: Path, place: Path) -> None:
    code = (
        "import sys; from experiments.__main__ import main; main(['doctor'])\n"
        "print([name for name in ('mlflow', 'numpy', 'pandas', 'hydra') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]" and done.stderr == ""


def test_sizes() -> None:
    assert [size(count) for count in (0, 999, 48_000_000, 2_500_000_000)] == [
        "0 bytes",
        "999 bytes",
        "48.0 MB",
        "2.5 GB",
    ]
