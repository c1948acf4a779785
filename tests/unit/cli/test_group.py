"""`python -m experiments`: help and refusals at once, statuses, completion, the launcher kbb."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from experiments.__main__ import commands, main
from experiments.cli.group import run_group
from experiments.errors import DataError

Command = Callable[..., "subprocess.CompletedProcess[str]"]
HEAVY = ("hydra", "mlflow", "numpy", "omegaconf", "pandas", "rich")


def every_command(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    """The words of every group and command."""
    found = [path]
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        found += every_command(command, *path, name) if inner else [(*path, name)]
    return found


@pytest.mark.parametrize("words", every_command(commands), ids=" ".join)
def test_every_command_has_a_help(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"Usage: {' '.join(('python -m experiments', *words))}")
    assert said.err == "" and max(map(len, said.out.splitlines())) <= 100


@pytest.mark.parametrize("words", [["--help"], ["env", "build", "nope"], ["data", "--help"], []])
def test_help_and_refusals_import_nothing_heavy(words: list[str], root: Path) -> None:
    code = (
        "import sys; from experiments.__main__ import main; main(sys.argv[1:])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["journal", "ingest"], "Missing argument 'FILE...'"),
        (["journal", "show", "/nowhere"], "/nowhere: no such journal; a run writes runs/*/"),
        (["server", "start", "--port", "0"], "0 is not in the range 1<=x<=65535"),
        (["server", "restart"], "no command 'restart'; choose from start, stop, status"),
    ],
)
def test_refused_in_one_line(command: Command, words: list[str], says: str) -> None:
    done = command("-m", "experiments", *words)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert says in done.stderr


def test_no_command_shows_the_help_and_is_refused(command: Command) -> None:
    done = command("-m", "experiments")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("Usage: python -m experiments [OPTIONS] COMMAND")


def test_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    @click.group()
    def group() -> None:
        """Commands that end in every way."""

    @group.command()
    @click.argument("how")
    def end(how: str) -> int | None:
        """End as told."""
        if how == "refused":
            raise DataError("no\nsuch file")
        if how == "interrupted":
            raise KeyboardInterrupt
        return int(how) if how.isdigit() else None

    ended = {how: run_group(group, ["end", how], "x", "_X") for how in ("well", "3", "refused")}
    assert ended == {"well": 0, "3": 3, "refused": 2}
    assert capsys.readouterr().err == "error: no such file\n"
    assert run_group(group, ["end", "interrupted"], "x", "_X") == 130


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("kbb e", ["env"]),
        ("kbb env ", ["build", "check", "clean", "list"]),
        ("kbb env build tensor", ["tensorflow", "tensorflow2"]),
        ("kbb env build --kind ", ["cpu", "gpu", "all"]),
        ("kbb data fetch mn", ["mnist"]),
        ("kbb server st", ["start", "status", "stop"]),
    ],
)
def test_shell_completion(typed: str, offered: list[str], launcher: Path, tmp_path: Path) -> None:
    *_, last = words = typed.split(" ")
    completing = {
        **os.environ,
        "_KBB_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [launcher], env=completing, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [line.removeprefix("plain,") for line in done.stdout.splitlines()] == offered
    assert all(word.startswith(last) for word in offered)


@pytest.fixture(scope="module")
def launcher(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kbb as `make setup` writes it, in a folder of the test's."""
    if Path(sys.executable) != root / ".venv" / "bin" / "python" or shutil.which("make") is None:
        pytest.skip("the launcher starts .venv/bin/python, and make writes it")
    folder = tmp_path_factory.mktemp("bin")
    subprocess.run(["make", "-s", "-C", root, "launcher", f"BIN={folder}"], check=True)
    return folder / "kbb"


def test_launcher_runs_from_any_folder(launcher: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()  # is not taken for the project's
    (tmp_path / "experiments" / "__init__.py").touch()
    done = subprocess.run(
        [launcher, "env", "nope"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no command 'nope'; choose from list, build, check, clean")
    assert "`kbb env --help`" in done.stderr


def test_launcher_completes_in_bash(launcher: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    code = (
        'eval "$(_KBB_COMPLETE=bash_source kbb)"\n'
        "complete -p kbb; COMP_WORDS=(kbb doc); COMP_CWORD=1\n"
        "_kbb_completion kbb; echo ${COMPREPLY[@]}"
    )
    variables = {**os.environ, "PATH": f"{launcher.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == "complete -o nosort -F _kbb_completion kbb\ndoctor\n"
