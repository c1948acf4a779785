from pathlib import Path

from experiments.system import energy
from experiments.system.energy import Meter


def _package(folder: Path, name: str, microjoules: int) -> None:
    (folder / name).mkdir()
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    (folder / name / "max_energy_range_uj").write_text("262143328850\n")


def test_packages_are_summed_in_joules(tmp_path: Path) -> None:
    _package(tmp_path, "intel-rapl:0", 5_000_000)
    assert energy.read(None, tmp_path) == Meter(5.0, 262143.32885)
    _package(tmp_path, "intel-rapl:1", 7_000_000)
    assert energy.read(None, tmp_path) == Meter(12.0, None)


def test_without_a_meter_nothing_is_told(tmp_path: Path) -> None:
    assert energy.read(None, tmp_path) is None
    assert energy.used(None, Meter(1.0, None)) is None


def test_a_counter_that_wrapped_once_is_put_right() -> None:
    assert energy.used(Meter(99.0, 100.0), Meter(1.5, 100.0)) == 2.5
    assert energy.used(Meter(1.0, None), Meter(3.0, None)) == 2.0
    assert energy.used(Meter(3.0, None), Meter(1.0, None)) is None
