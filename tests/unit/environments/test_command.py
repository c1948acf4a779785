"""python -m experiments.environments: what it understands, lists and removes."""

import os
from pathlib import Path

import pytest

from experiments.environments import __main__ as command
from experiments.environments import ensure, installed, inventory
from experiments.environments.build import lock_file, recipe_of
from experiments.errors import ConfigError
from tests.support.environment_files import Lines, backend, environment_file, script


@pytest.fixture(autouse=True)
def no_conda(monkeypatch: pytest.MonkeyPatch, kbb_cache: Path) -> None:
    folders = [
        f
        for f in os.environ["PATH"].split(":")
        if not any(Path(f, n).exists() for n in ("conda", "mamba"))
    ]
    monkeypatch.setenv("PATH", ":".join(folders))
    for name in ("CONDA_EXE", "MAMBA_EXE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lst", "no command 'lst'; choose one of: list, build, check, clean"),
        ("build backend=caffe", "backend=caffe is not known; choose one of: cntk, jax, tensorflow"),
        ("build backend=cntk,caffe", "backend=caffe"),
        ("build kind=tpu", "kind=tpu is not known; choose one of: cpu, gpu, all"),
        ("build cntk", "build takes no 'cntk'; its keys are: backend, kind, python, as key=value"),
        ("list threads=2", "list takes no 'threads=2'"),
        ("clean scope=some", "scope=some is not known; choose one of: stale, all"),
        ("check again=yes", "again=yes is not known"),
        ("check backend=all python=/bin/python", "python=/path is for one backend"),
    ],
)
def test_line_that_is_not_understood_is_refused(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(line.split()) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_defaults() -> None:
    assert {kind for _, kind in command.understand(["list"]).chosen} == {"cpu", "gpu"}
    assert {kind for _, kind in command.understand(["build"]).chosen} == {"cpu"}
    names = [
        backend.name for backend, _ in command.understand(["check", "backend=cntk,theano"]).chosen
    ]
    assert names == ["cntk", "theano"]
    request = command.understand(
        ["check", "backend=cntk", "backend.python=/opt/python", "threads=1", "again=true"]
    )
    assert (request.chosen[0][0].python, request.threads, request.again) == (
        "/opt/python",
        "1",
        True,
    )


def test_help_names_commands_backends_and_the_cache(
    capsys: pytest.CaptureFixture[str], kbb_cache: Path
) -> None:
    assert command.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert (
        "cntk|jax|tensorflow|tensorflow2|theano|torch" in text and str(kbb_cache / "envs") in text
    )
    assert command.main([]) == 2


def test_list_shows_every_backend_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if " missing" in line]
    assert {(line[0], line[1]) for line in lines} == {
        (name, kind) for name in inventory.backends() for kind in ("cpu", "gpu")
    }


def test_backend_that_fails_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["build", "backend=theano,tensorflow", "kind=gpu"]) == 1
    assert capsys.readouterr().err.count("needs conda, mamba or micromamba") == 2


def test_threads_out_of_range_are_refused_before_anything_is_built(
    capsys: pytest.CaptureFixture[str], kbb_cache: Path
) -> None:
    assert command.main(["check", "backend=jax", "threads=0"]) == 2
    assert "threads=0 is out of range" in capsys.readouterr().err
    assert not kbb_cache.exists()


def test_states_of_an_environment(tmp_path: Path) -> None:
    tiny = backend(environment_file(tmp_path))
    assert inventory.look(tiny, "cpu").state == inventory.MISSING
    ensure(tiny, "cpu", Lines())
    entry = inventory.look(tiny, "cpu")
    assert (
        entry.state == inventory.BUILT and entry.size_bytes is not None and entry.size_bytes > 1000
    )
    environment_file(tmp_path, more="  - wheel\n  - setuptools=59.6.0\n")
    assert inventory.look(tiny, "cpu").state == inventory.STALE
    with installed.build_lock(lock_file(recipe_of(tiny, "cpu")), "tiny", Lines()):
        assert inventory.look(tiny, "cpu").state == inventory.BUILDING
        say = Lines()
        assert inventory.clean([(tiny, "cpu")], everything=True, say=say) == 0
        assert "is being built; left alone" in say.text


def test_clean_removes_what_no_file_describes_and_nothing_else(
    tmp_path: Path, kbb_cache: Path
) -> None:
    tiny = backend(environment_file(tmp_path))
    old = ensure(tiny, "cpu", Lines())
    environment_file(tmp_path, more="  - setuptools=59.6.0\n")
    current = ensure(tiny, "cpu", Lines())
    assert old.folder is not None and current.folder is not None and old.folder != current.folder
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (old.folder / "link").symlink_to(outside)
    of_old = [
        kbb_cache / "compiled" / f"theano-{old.key}",
        kbb_cache / "compiled" / f"theano-{current.key}",
    ]
    for folder in (
        *of_old,
        kbb_cache / "checks",
        kbb_cache / "envs" / "tiny-gpu-0123",
        kbb_cache / "prepared",
    ):
        folder.mkdir(parents=True)
    for key in (old.key, current.key):
        (kbb_cache / "checks" / f"tiny-{key}-0123.json").touch()
    assert inventory.clean([(tiny, "cpu")], everything=False, say=Lines()) > 0
    left = {
        str(path.relative_to(kbb_cache))
        for path in kbb_cache.glob("*/*")
        if not path.name.startswith(".")
    }
    assert left == {
        f"envs/tiny-{current.key}",
        "envs/tiny-gpu-0123",
        f"compiled/theano-{current.key}",
        f"checks/tiny-{current.key}-0123.json",
    }
    assert (outside / "kept").exists() and (kbb_cache / "prepared").exists()
    inventory.clean([(tiny, "cpu")], everything=True, say=Lines())
    assert not current.folder.exists()


def test_clean_of_all_takes_what_belongs_to_interpreters_of_the_user(
    tmp_path: Path, kbb_cache: Path
) -> None:
    tiny = backend(environment_file(tmp_path))
    folder = kbb_cache / "envs" / "tiny-named-0123"
    folder.mkdir(parents=True)
    inventory.clean([(tiny, "cpu")], everything=False, say=Lines())
    assert folder.exists()
    inventory.clean([(tiny, "cpu")], everything=True, say=Lines())
    assert not folder.exists()


def test_backend_file_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf" / "backend"
    folder.mkdir(parents=True)
    (folder / "odd.yaml").write_text("name: odd\ncolour: red\n")
    monkeypatch.setattr(inventory, "project_root", lambda: tmp_path)
    with pytest.raises(ConfigError, match="odd.yaml is no backend: .*colour"):
        inventory.backends()


def test_check_tells_an_unsound_engine_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = '{"sound": false, "checks": [{"name": "lstm", "value": 1.4, "limit": 0.1, "passed": false}]}'
    python = script(tmp_path / "python", f"echo '{verdict}' > \"$4\"; exit 1")
    environment = installed.Environment(
        python, "key", "cpu", "named", tmp_path, {}, False, 0.0, "cntk"
    )
    monkeypatch.setattr("experiments.environments.ensure", lambda *_: environment)
    assert command.main(["check", "backend=cntk"]) == 1
    said = capsys.readouterr()
    assert "wrong: lstm is 1.4, limit 0.1" in said.out
    assert "error: cntk: its engine is unsound: lstm is 1.4, limit 0.1" in said.err
