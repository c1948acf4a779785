"""What all tests share: the project's root, real data where it is named, and a store and cache of
their own.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import hypothesis  # noqa: F401 (its import warns after gc.freeze, which setting up MLflow calls)
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# A shell starts what runs in its background deaf to Ctrl-C, and nohup to SIGHUP; the commands under
# test inherit that.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(
            _number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        )


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout under test."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of Keras-named data files; the test is skipped where KBB_TEST_DATA does not name
    one.
    """
    named = os.environ.get("KBB_TEST_DATA")
    if not named:
        pytest.skip(
            "KBB_TEST_DATA names no folder with mnist.npz, imdb.npz, nietzsche.txt and CIFAR-10"
        )
    return Path(named)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run one of the project's commands with a store and a runs folder of its own; caches are
    shared.
    """

    def run(
        *arguments: str, timeout: float = 900, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        environment = {
            **os.environ,
            "KBB_RUNS": str(tmp_path / "runs"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
            **variables,
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """A command that ran in this process leaves its last word on signals, which other processes
    would inherit.
    """
    handlers = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with the project's experiment and nothing in it; made once, copied by who
    writes to it.
    """
    from tests.support import planted_store

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    planted_store.create(path)
    return path


@pytest.fixture
def planted_store(tmp_path: Path, empty_store: Path) -> Callable[..., str]:
    """Make a store of planted runs; returns its address. Every call makes another file."""
    from tests.support import planted, planted_store

    numbers = itertools.count()

    def make(runs: Iterable[planted.Planted] = ()) -> str:
        path = tmp_path / f"planted-{next(numbers)}.db"
        shutil.copyfile(empty_store, path)
        planted_store.write(path, runs)
        return f"sqlite:///{path}"

    return make


@pytest.fixture(scope="session")
def published_store(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> str:
    """A store with the published results in it, brought in by the project's own import; to be read
    only.
    """
    from analysis.published.results import import_published

    path = tmp_path_factory.mktemp("published") / "mlflow.db"
    shutil.copyfile(empty_store, path)
    uri = f"sqlite:///{path}"
    added, present = import_published(uri)
    assert (added, present) == (126, 0)
    return uri
