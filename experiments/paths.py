"""Where things live: the project's root, the user's cache, the folder of runs."""

import os
from pathlib import Path

APPLICATION = "keras-backend-benchmark"


def project_root() -> Path:
    """The checkout that this package belongs to."""
    return Path(__file__).resolve().parent.parent


def cache_root() -> Path:
    """The cache of environments, downloads and prepared arrays: KBB_CACHE, else the user's cache folder."""
    named = os.environ.get("KBB_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir(APPLICATION))


def runs_root() -> Path:
    """One folder per run (job, journal, log): KBB_RUNS, else runs/ in the project."""
    named = os.environ.get("KBB_RUNS")
    return Path(named).expanduser().resolve() if named else project_root() / "runs"
