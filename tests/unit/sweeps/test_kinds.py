"""What a launcher means for devices and threads."""

from typing import Any

import pytest

from experiments.config.schema import RunConfig
from experiments.errors import ConfigError
from experiments.sweeps.launched import kinds
from tests.support.sweep_cells import cell


def launching(**node: Any) -> kinds.Launching:
    from omegaconf import OmegaConf

    return kinds.launching(OmegaConf.create({"hydra": {"launcher": node}}))


@pytest.mark.parametrize(
    ("node", "name", "remote", "parallel"),
    [
        (
            {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
            "basic",
            False,
            1,
        ),
        ({"_target_": "x.JoblibLauncher", "n_jobs": 3}, "joblib", False, 3),
        ({"_target_": "x.SlurmLauncher"}, "slurm", True, None),
        (
            {
                "_target_": "x.RayLauncher",
                "ray": {"init": {"address": None, "num_cpus": 4}, "remote": {"num_cpus": 2}},
            },
            "ray",
            False,
            2,
        ),
        (
            {"_target_": "x.RayLauncher", "ray": {"init": {"address": "auto"}, "remote": {}}},
            "ray",
            True,
            None,
        ),
    ],
)
def test_what_a_launcher_means(
    node: dict[str, Any], name: str, remote: bool, parallel: int | None
) -> None:
    found = launching(**node)
    assert (found.name, found.remote, found.parallel) == (name, remote, parallel)


def test_crowding_one_device_is_refused_with_the_way_out(config: RunConfig) -> None:
    cells = [cell(config, 0), cell(config, 1)]
    two = launching(_target_="x.JoblibLauncher", n_jobs=2)
    with pytest.raises(
        ConfigError, match=r"2 runs at once on cpu.*hydra.launcher.n_jobs=1.*allow_sharing=true"
    ):
        kinds.refuse_crowding(two, cells, sharing=False)
    kinds.refuse_crowding(two, cells, sharing=True)
    kinds.refuse_crowding(
        two, [cell(config, 0, repetitions=1)], sharing=False
    )  # one run crowds nothing
    kinds.refuse_crowding(launching(_target_="x.JoblibLauncher", n_jobs=1), cells, sharing=False)
    kinds.refuse_crowding(launching(_target_="x.SlurmLauncher"), cells, sharing=False)
