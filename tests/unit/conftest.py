"""What unit tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no reason for a property to fail.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
def kbb_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KBB_CACHE", str(folder))
    return folder


# Seconds of processor time each: simulations, a real MLflow store, real data files. `make test`
# runs them, `make test-unit` leaves them out so that it answers within a minute.
HEAVY = {
    *("analysis/test_cli.py", "analysis/test_cli_refusals.py", "analysis/test_pairs.py"),
    *("analysis/test_store.py", "analysis/test_cache.py", "analysis/test_views.py"),
    *("analysis/test_formats.py", "analysis/test_findings.py", "analysis/test_report.py"),
    *("analysis/test_statistics.py", "analysis/test_tables.py"),
    *("datasets/test_real.py", "datasets/test_synthetic.py", "tracking/test_tracking.py"),
    "sharing/test_pack.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the heavy modules, so that the list is in one place."""
    for item in items:
        if f"{item.path.parent.name}/{item.path.name}" in HEAVY:
            item.add_marker(pytest.mark.heavy)
