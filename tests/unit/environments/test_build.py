"""Building an environment: once, whole or not at all, and in one line where it fails."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.environments import (
    BuildError,
    ensure,
    freeze,
    installed,
    inventory,
    worker_variables,
)
from experiments.environments.build import lock_file, recipe_of
from experiments.errors import NotInstalled
from experiments.system import locks
from tests.support.environment_files import (
    THIS_PYTHON,
    Lines,
    backend,
    environment_file,
    script,
    wheel,
)

ENSURE = """
import sys
sys.path.insert(0, {root!r})
from tests.support.environment_files import backend
from experiments.environments import ensure
found = ensure(backend({file!r}), "cpu", lambda line: print(line, flush=True))
print("ready", found.key, flush=True)
"""


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, no_conda: None) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def in_another_process(file: Path) -> "subprocess.Popen[str]":
    code = ENSURE.format(root=str(Path(__file__).resolve().parents[3]), file=str(file))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_built_once_and_found_again(tmp_path: Path, kbb_cache: Path) -> None:
    file = environment_file(tmp_path)
    say = Lines()
    first = ensure(backend(file), "cpu", say)
    assert first.manager == "venv" and first.folder is not None
    assert first.folder.parent == kbb_cache / "envs"
    assert "built in" in say[-1]
    prefix = subprocess.check_output(
        [first.python, "-c", "import sys; print(sys.prefix)"], text=True
    )
    assert prefix.strip() == str(first.folder / "env")
    settings = json.loads((first.folder / "keras" / "keras.json").read_text())
    assert (settings["floatx"], settings["image_data_format"]) == ("float32", "channels_last")
    say.clear()
    second = ensure(backend(file), "cpu", say)
    assert (second.key, second.python) == (first.key, first.python)
    assert say == [], "nothing is built"


def test_another_content_is_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ensure(backend(environment_file(tmp_path)), "cpu", Lines())
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path).parent))
    say = Lines()
    second = ensure(
        backend(environment_file(tmp_path, "tiny", THIS_PYTHON, "tinywheel==1.5")), "cpu", say
    )
    assert "tiny: built in" in say.text and second.key != first.key


def test_pins_are_installed_from_a_named_folder_of_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path).parent))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    found = ensure(
        backend(environment_file(tmp_path, "tiny", THIS_PYTHON, "tinywheel==1.5")), "cpu", Lines()
    )
    assert "tinywheel==1.5" in freeze(found).splitlines()
    assert freeze(found).startswith(f"# environment tiny {found.key}")
    subprocess.run(
        [found.python, "-c", "import tinywheel"],
        check=True,
        env=worker_variables(found, backend(environment_file(tmp_path)), 1, "cpu"),
    )
    compiled = list((found.python.parent.parent / "lib").rglob("tinywheel.*.pyc"))
    assert compiled, "the first worker keeps its bytecode, or every worker would compile it"


def test_build_that_was_cut_off_is_built_again(tmp_path: Path) -> None:
    file = environment_file(tmp_path)
    first = ensure(backend(file), "cpu", Lines())
    assert first.folder is not None
    (first.folder / "complete.json").unlink()
    (first.folder / "env" / "half-written").touch()
    say = Lines()
    second = ensure(backend(file), "cpu", say)
    assert "tiny: built in" in say.text and second.folder == first.folder
    assert "was interrupted; building it again" in say.text
    assert not (first.folder / "env" / "half-written").exists()


def test_environment_whose_python_went_away_is_built_again(tmp_path: Path) -> None:
    file = environment_file(tmp_path)
    first = ensure(backend(file), "cpu", Lines())
    first.python.unlink()
    first.python.symlink_to("/nowhere/python")
    say = Lines()
    ensure(backend(file), "cpu", say)
    assert "tiny: built in" in say.text


def test_two_at_once_build_once(tmp_path: Path) -> None:
    file = environment_file(tmp_path)
    both = [in_another_process(file) for _ in range(2)]
    said = [steps.communicate(timeout=60)[0] for steps in both]
    assert [steps.returncode for steps in both] == [0, 0]
    assert sorted("tiny: built in" in text for text in said) == [False, True]
    assert len({text.splitlines()[-1] for text in said}) == 1, "both have the same environment"


def test_waiter_says_so_and_takes_what_the_other_built(tmp_path: Path) -> None:
    file = environment_file(tmp_path)
    with installed.build_lock(lock_file(recipe_of(backend(file), "cpu")), "tiny", Lines()):
        waiter = in_another_process(file)
        assert waiter.stdout is not None
        assert waiter.stdout.readline().startswith(f"tiny: waiting for process {os.getpid()}")
        assert waiter.poll() is None
    assert "tiny: built in" in waiter.communicate(timeout=60)[0]


def test_lock_outlives_a_killed_holder_while_a_straggler_of_its_installer_writes(
    tmp_path: Path,
) -> None:
    """The installer's group is killed with the holder; a process that left it keeps the lock."""
    lock, root = tmp_path / "lock", Path(__file__).resolve().parents[3]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from pathlib import Path\n"
        "from experiments.environments import installed, steps\n"
        f"with installed.build_lock(Path({str(lock)!r}), 'x', print) as handle:\n"
        "    command = 'echo $$ > pid.new; mv pid.new pid; exec sleep 60'\n"
        "    steps.run(['setsid', 'sh', '-c', command],"
        f" Path({str(tmp_path)!r}, 'log'), print, 'x', {{'PATH': '/bin:/usr/bin'}}, keep=handle)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    installer = int((tmp_path / "pid").read_text())
    holder.kill()
    holder.wait()
    time.sleep(0.5)
    assert locks.is_held(lock)
    os.kill(installer, signal.SIGKILL)
    while locks.is_held(lock) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not locks.is_held(lock)


def test_interrupt_ends_the_installer_and_leaves_nothing_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.environments import steps

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    file = environment_file(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(steps, "_wait", interrupt)
        ensure(backend(file), "cpu", Lines())
    assert inventory.look(backend(file), "cpu").state == inventory.UNFINISHED


def test_long_step_tells_how_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.environments import steps

    monkeypatch.setattr(steps, "_FIRST_PROGRESS_SECONDS", 0.2)
    say = Lines()
    command = ["sh", "-c", "echo Collecting numpy; sleep 1.2"]
    assert (
        steps.run(command, tmp_path / "log", say, "tiny: installing", {"PATH": os.environ["PATH"]})
        == 0
    )
    assert 1 <= len(say) <= 3, "the pauses grow: after 0.2 s, 0.6 s, 1.4 s"
    assert say[0] == "tiny: installing: 0 s, Collecting numpy"


def test_no_interpreter_says_what_was_looked_for_and_what_would_get_it(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled) as refused:
        ensure(backend(environment_file(tmp_path, "tiny", "3.99")), "cpu", Lines())
    message = str(refused.value)
    assert "\n" not in message
    assert "needs Python 3.99: no conda, mamba or micromamba on PATH" in message
    assert "python install 3.99`" in message and "backend.python=/path" in message
    with pytest.raises(NotInstalled, match=r"`pyenv install 3\.5`"):
        ensure(backend(environment_file(tmp_path, "tiny", "3.5")), "cpu", Lines())


def test_pin_that_cannot_be_had_fails_in_one_line_with_its_log(
    tmp_path: Path, kbb_cache: Path
) -> None:
    file = environment_file(tmp_path, "tiny", THIS_PYTHON, "no-such-wheel==7.7")
    say = Lines()
    with pytest.raises(BuildError) as refused:
        ensure(backend(file), "cpu", say)
    message = str(refused.value)
    assert refused.value.state == "not_installed"
    assert "\n" not in message and "no-such-wheel" in message
    assert refused.value.log is not None and str(refused.value.log) in message
    assert "no-such-wheel" in refused.value.log.read_text()
    assert any(line.startswith("  | ") and "no-such-wheel" in line for line in say)
    assert inventory.look(backend(file), "cpu").state == inventory.UNFINISHED


def test_fix_that_cannot_be_made_fails_the_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="CNTK is not installed there"):
        ensure(backend(environment_file(tmp_path), fixes=["cntk_mpi"]), "cpu", Lines())


def test_machine_without_a_compiler_is_told_before_anything_is_built(
    tmp_path: Path, kbb_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for fix, told in (
        ("theano_blas", r"tiny: no C\+\+ compiler found"),
        ("cntk_mpi", "tiny: no cc found"),
    ):
        with pytest.raises(NotInstalled, match=told):
            ensure(backend(environment_file(tmp_path), fixes=[fix]), "cpu", Lines())
    assert not list((kbb_cache / "envs").glob("tiny-*"))


def test_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        NotInstalled, match="cannot write to .*set KBB_CACHE to a folder that can be written"
    ):
        ensure(backend(environment_file(tmp_path)), "cpu", Lines())


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.environments import installed

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(installed, "write_marker", full)
    file = environment_file(tmp_path)
    with pytest.raises(NotInstalled, match="no space left for .*KBB_CACHE"):
        ensure(backend(file), "cpu", Lines())


CONDA = """
echo "$0 $@" >> {log}
while [ $# -gt 0 ]; do [ "$1" = --prefix ] && prefix=$2; [ "$1" = --file ] && file=$2; shift; done
[ -f "$file" ] || exit 4
exec {python} -m venv --without-pip "$prefix"
"""


@pytest.mark.parametrize(
    ("program", "words"),
    [("conda", "env create"), ("mamba", "env create"), ("micromamba", "create --yes")],
)
def test_conda_programs_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    log = tmp_path / "log"
    script(tmp_path / "bin" / program, CONDA.format(log=log, python=sys.executable))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    file = environment_file(tmp_path, more="  - cudatoolkit=10.0\n")
    found = ensure(backend(file), "cpu", Lines())
    assert found.manager == program and found.folder is not None
    assert f"{program} {words} --prefix {found.folder / 'env'} --file {file}" in log.read_text()


def test_conda_that_fails_gives_way_to_a_venv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin" / "conda", "echo 'CondaHTTPError: cannot connect' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    say = Lines()
    assert ensure(backend(environment_file(tmp_path)), "cpu", say).manager == "venv"
    assert "CondaHTTPError: cannot connect" in say.text and "trying venv instead" in say.text


def test_packages_that_only_conda_has_need_conda(tmp_path: Path) -> None:
    file = environment_file(tmp_path, more="  - pygpu=0.7.6\n")
    with pytest.raises(
        NotInstalled, match="needs conda, mamba or micromamba for pygpu=0.7.6, and none is on PATH"
    ):
        ensure(backend(file), "cpu", Lines())
