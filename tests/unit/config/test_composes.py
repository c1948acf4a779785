"""Every shipped configuration file is composed and checked; a new one is found by itself."""

import dataclasses
from pathlib import Path

import pytest

from experiments.config.checks import check
from experiments.config.identity import protocol_id
from experiments.config.members import GROUPS, choices
from experiments.config.schema import ProfileConfig
from tests.support.composing import CONF, composed, hydra, members

TASKS, BACKENDS, PROFILES = members("task"), members("backend"), members("profile")
SWEPT = (
    "config",
    pytest.param("sweep", marks=pytest.mark.heavy),
)  # the same groups, under another root


def test_grid_is_what_readme_promises() -> None:
    assert len(TASKS) >= 6 and len(BACKENDS) >= 6
    assert {"smoke", "quick", "published", "tuned"} <= set(PROFILES)


@pytest.mark.parametrize("config_name", SWEPT)
@pytest.mark.parametrize(
    ("group", "member"),
    [(group, member) for group in GROUPS for member in members(group)],
    ids="=".join,
)
def test_every_member_of_every_group(
    config_name: str, group: str, member: str, tmp_path: Path
) -> None:
    more = [f"data.dir={tmp_path}"] if (group, member) == ("data", "local") else []
    config = composed(f"{group}={member}", *more, config_name=config_name)
    assert getattr(config, group).name == member, "a member is named as its file"
    assert member in choices(group)


@pytest.fixture(scope="module")
def profiles() -> dict[str, ProfileConfig]:
    return {name: composed(f"profile={name}").profile for name in PROFILES}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_cell_under_every_profile(
    task: str, backend: str, profiles: dict[str, ProfileConfig]
) -> None:
    cell = composed(f"task={task}", f"backend={backend}")
    for name, profile in profiles.items():  # a profile's file refers to no other group
        config = check(dataclasses.replace(cell, profile=profile))
        budget = config.budget()
        assert budget.epochs >= 2 and 0 < budget.fraction <= 1 and config.batch_size() >= 1
        assert len(protocol_id(config, "digest", 1)) == 12
        gates = {"published": "hard_sigmoid", "tuned": "sigmoid"}.get(name)
        if gates and "recurrent_activation" in config.task.model:
            assert config.model()["recurrent_activation"] == gates


@pytest.mark.filterwarnings(r"ignore:\s*.*is validated against ConfigStore schema:UserWarning")
@pytest.mark.parametrize("launcher", [None, *members("hydra/launcher")])
def test_every_launcher(launcher: str | None) -> None:
    with hydra() as compose:
        compose("sweep", [f"hydra/launcher={launcher}"] if launcher else [])


def test_every_file_belongs_to_a_group_that_is_composed_here() -> None:
    known = {*GROUPS, "dataset", "hydra"}
    assert {path.name for path in CONF.iterdir() if path.is_dir()} <= known
    for path in CONF.rglob("*.yaml"):
        assert path.read_text().startswith("#") or "hydra" in path.parts, (
            f"{path} does not say what it is"
        )


@pytest.mark.parametrize("dataset", members("dataset"))
def test_every_data_set_is_used_and_has_its_files_and_sums(dataset: str) -> None:
    used = [
        config
        for task in TASKS
        if (config := composed(f"task={task}")).task.dataset.name == dataset
    ]
    assert used, f"no task uses {dataset}"
    for name, file in used[0].task.dataset.files.items():
        assert file.url.startswith("https://") and file.url.endswith(name)
        assert file.sha256 is None or len(file.sha256) == 64


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_has_its_environment_file(backend: str) -> None:
    config = composed(f"backend={backend}").backend
    assert (CONF.parent / "conda" / f"{config.environment}.yaml").is_file()
    assert config.keras_generation in (2, 3)
