"""python -m experiments env: what it understands, lists and removes."""

import sys
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.config import members
from experiments.config.schema import BackendConfig
from experiments.environments import ensure, installed, inventory
from experiments.environments.build import lock_file, recipe_of
from experiments.errors import ConfigError, EngineUnsound, NotInstalled
from tests.support.environment_files import Lines, backend, environment_file

# Answers the self-check's question: of all cases, one is wrong.
UNSOUND = """#!{python}
import json, sys
cases = json.load(open(sys.argv[3]))["cases"]
check = dict(value=1e-6, limit=0.1, passed=True, seconds=0.1)
checks = [dict(check, case=case, name=case + ".forward") for case in cases]
checks[0].update(name="lstm", value=1.4, passed=False)
with open(sys.argv[4], "w") as out:
    json.dump(dict(sound=False, checks=checks, versions=dict(), seconds=1.0), out)
sys.exit(1)
"""


pytestmark = pytest.mark.usefixtures("no_conda")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("env lst", "no command 'lst'; choose from list, build, check, clean"),
        ("env build caffe", "'caffe' is not one of 'cntk', 'jax', 'tensorflow'"),
        ("env build cntk caffe", "'caffe' is not one of"),
        ("env build --kind tpu", "'tpu' is not one of 'cpu', 'gpu', 'all'"),
        ("env build backend=cntk", "'backend=cntk' is not one of 'cntk'"),
        ("env build --pyton /x", "No such option '--pyton'. Did you mean '--python'?"),
        ("env list --threads 2", "No such option '--threads'"),
        ("env clean --all=some", "Option '--all' does not take a value"),
        ("env check --again=yes", "Option '--again' does not take a value"),
        ("env check --python /bin/python", "--python is for one backend; name it"),
        ("env build --python", "Option '--python' requires an argument"),
    ],
)
def test_line_that_is_not_understood_is_refused(
    line: str, says: str, capsys: pytest.CaptureFixture[str], kbb_cache: Path
) -> None:
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and says in error and error.count("\n") == 1
    assert not kbb_cache.exists()


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[tuple[BackendConfig, str]] = []

    def looked_at(backend: BackendConfig, kind: str, *_: object) -> None:
        chosen.append((backend, kind))
        raise NotInstalled("enough")

    def kinds(*words: str) -> set[str]:
        chosen.clear()
        main(["env", *words])
        return {kind for _, kind in chosen}

    monkeypatch.setattr("experiments.environments.inventory.look", looked_at)
    monkeypatch.setattr("experiments.environments.ensure", looked_at)
    assert kinds("list", "--kind", "gpu") == {"gpu"}
    assert kinds("build") == {"cpu"} and len(chosen) == len(members.choices("backend"))
    assert kinds("check", "cntk", "theano") == {"cpu"}
    assert [backend.name for backend, _ in chosen] == ["cntk", "theano"]
    assert kinds("build", "jax", "--kind", "all") == {"cpu", "gpu"}
    kinds("check", "cntk", "--python", "/opt/python", "--threads", "1", "--again")
    assert [backend.python for backend, _ in chosen] == ["/opt/python"]


@pytest.mark.parametrize("again", [True, False])
def test_settings_of_a_check_reach_it(again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def check(*values: object, again: bool) -> object:
        asked.append((values[2], again))
        raise EngineUnsound("enough")

    monkeypatch.setattr("experiments.environments.ensure", lambda *_: None)
    monkeypatch.setattr("experiments.environments.check", check)
    assert main(["env", "check", "cntk", "--threads", "1", *(["--again"] if again else [])]) == 1
    assert asked == [(1, again)]


def test_help_names_commands_backends_and_the_cache(
    capsys: pytest.CaptureFixture[str], kbb_cache: Path
) -> None:
    assert main(["env", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in ("list", "build", "check", "clean"))
    assert str(kbb_cache / "envs") in text.replace("\n", "")
    for command in ("list", "build", "check", "clean"):
        assert main(["env", command, "--help"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert ", ".join(members.choices("backend")) in said
    assert main([]) == 2 and "Usage: python -m experiments" in capsys.readouterr().err
    assert main(["env"]) == 2 and "Usage: python -m experiments env" in capsys.readouterr().err


def test_list_shows_every_backend_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if " missing" in line]
    assert {(line[0], line[1]) for line in lines} == {
        (name, kind) for name in members.backends() for kind in ("cpu", "gpu")
    }


def test_backend_that_fails_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "build", "theano", "tensorflow", "--kind", "gpu"]) == 1
    assert capsys.readouterr().err.count("needs conda, mamba or micromamba") == 2


def test_threads_out_of_range_are_refused_before_anything_is_built(
    capsys: pytest.CaptureFixture[str], kbb_cache: Path
) -> None:
    assert main(["env", "check", "jax", "--threads", "0"]) == 2
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
        assert "is being built; skipped" in say.text


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
    monkeypatch.setattr(members, "project_root", lambda: tmp_path)
    members.read.cache_clear()
    with pytest.raises(ConfigError, match=r"odd\.yaml is not a backend: .*colour"):
        members.backends()


def test_check_tells_an_unsound_engine_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    python.write_text(UNSOUND.format(python=sys.executable))
    python.chmod(0o755)
    environment = installed.Environment(python, "key", "cpu", "named", tmp_path, {}, 0.0, "cntk")
    monkeypatch.setattr("experiments.environments.ensure", lambda *_: environment)
    assert main(["env", "check", "cntk"]) == 1
    said = capsys.readouterr()
    assert said.out.count("  failed: ") == 1 and "lstm is 1.4, limit 0.1" in said.out
    assert said.err.startswith("error: cntk: its engine is unsound: ")
    assert "lstm is 1.4, limit 0.1" in said.err and said.err.count("\n") == 1
