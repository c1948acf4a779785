"""How many threads an engine gets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import ConfigError
from experiments.system import threads
from experiments.system.threads import resolve_threads


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four hardware threads on two cores, without a quota."""
    for processor, core in enumerate((0, 1, 0, 1)):
        topology = tmp_path / "cpu" / f"cpu{processor}" / "topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{core}\n")
    (tmp_path / "groups" / "job" / "step").mkdir(parents=True)
    (tmp_path / "own").write_text("0::/job/step\n")
    monkeypatch.setattr(threads, "_CPUS", tmp_path / "cpu")
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(threads, "_OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(threads, "affinity", lambda: {0, 1, 2, 3})
    return tmp_path


def test_auto_counts_a_core_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_threads("auto") == 2
    monkeypatch.setattr(threads, "affinity", lambda: {0, 2})
    assert resolve_threads("auto") == 1
    monkeypatch.setattr(threads, "affinity", lambda: {0, 3})
    assert resolve_threads("auto") == 2


def test_hardware_threads_may_be_asked_for(machine: Path) -> None:
    assert resolve_threads("4") == resolve_threads(4) == 4


def test_auto_keeps_within_the_quota_of_any_control_group_above(machine: Path) -> None:
    (machine / "groups" / "job" / "step" / "cpu.max").write_text("max 100000\n")
    assert resolve_threads("auto") == 2
    (machine / "groups" / "job" / "cpu.max").write_text("150000 100000\n")
    assert threads.cgroup_quota() == 1.5
    assert (resolve_threads("auto"), threads.usable_processors()) == (1, 2)
    (machine / "groups" / "cpu.max").write_text("50000 100000\n")
    assert (resolve_threads("auto"), threads.usable_processors()) == (1, 1)


def test_quota_of_the_older_control_groups(machine: Path) -> None:
    (machine / "own").write_text("11:memory:/job\n4:cpu,cpuacct:/job\n")
    folder = machine / "groups" / "cpu" / "job"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert threads.cgroup_quota() is None
    (folder / "cpu.cfs_quota_us").write_text("100000\n")
    assert threads.cgroup_quota() == 1.0


def test_machine_that_tells_no_topology_counts_processors(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_CPUS", machine / "nothing")
    monkeypatch.setattr(threads, "_OWN_CGROUP", machine / "nothing")
    assert resolve_threads("auto") == 4


@pytest.mark.parametrize("value", ["0", -1, 5, "many", "", "1.5", None])
def test_other_values_are_refused_with_the_range(machine: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=f"threads={value} .*choose auto or 1 to 4"):
        resolve_threads(value)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no processor affinity"
)
def test_affinity_of_the_real_process_counts() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from experiments.system.threads import resolve_threads; print(resolve_threads('auto'))"
    )
    root = Path(__file__).resolve().parents[3]
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root).strip() == "1"
