"""Where things are, and writing files as a whole: project root, cache, folder of runs."""

import contextlib
import os
from pathlib import Path

APPLICATION = "keras-backend-benchmark"


def project_root() -> Path:
    """The checkout that this package belongs to."""
    return Path(__file__).resolve().parent.parent.parent


def cache_root() -> Path:
    """The cache of environments, downloads and arrays: KBB_CACHE, else the user's cache folder."""
    named = os.environ.get("KBB_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir(APPLICATION))


def runs_root() -> Path:
    """One folder per run (job, journal, log): KBB_RUNS, else runs/ in the project."""
    named = os.environ.get("KBB_RUNS")
    return Path(named).expanduser().resolve() if named else project_root() / "runs"


def sweeps_root() -> Path:
    """Files of sweeps; hidden, so that runs/* are runs."""
    return runs_root() / ".sweeps"


def plugins_folder() -> Path:
    """Where Hydra finds this project's sweeper; launchers' processes need it on their path too."""
    return project_root() / "experiments" / "sweeps" / "plugins"


def write_whole(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file whole or not at all: under a temporary name beside it, then renamed into place.

    durable: on the disk before it has its name. Raises OSError if the folder cannot be written;
    nothing half-written is left.
    """
    data = content.encode() if isinstance(content, str) else content
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
