"""The environment files under conda/, and what is refused in one."""

import re
from pathlib import Path

import pytest
import yaml

from experiments.config import members
from experiments.environments import specification
from experiments.environments.specification import KINDS, read
from experiments.errors import ConfigError
from tests.support.environment_files import environment_file

FILES = sorted(specification.conda_folder().glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_file_is_a_pinned_conda_environment(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert list(content) == ["name", "channels", "dependencies"]
    assert content["name"] == f"kbb-{path.stem}"
    plain = [entry for entry in content["dependencies"] if isinstance(entry, str)]
    assert any(re.fullmatch(r"pip(=.*)?", entry) for entry in plain), (
        "conda wants pip named before a pip list"
    )
    found = read(path.stem.removesuffix("-gpu"), "gpu" if path.stem.endswith("-gpu") else "cpu")
    assert found.pins
    for pin in found.pins:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+={2,3}[0-9][A-Za-z0-9.]*", pin), pin
    projects = [pin.split("=")[0].lower().replace("_", "-") for pin in found.pins]
    assert len(projects) == len(set(projects)), "a project is pinned twice"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_file_names_no_address(path: Path) -> None:
    assert not re.search(r"https?:|index|/simple", path.read_text())


def test_every_backend_has_a_file_for_each_kind_and_no_file_is_left_over() -> None:
    wanted = {
        read(backend.environment, kind).path
        for backend in members.backends().values()
        for kind in KINDS
    }
    assert wanted == set(FILES)


@pytest.mark.parametrize("name", ["theano", "tensorflow", "cntk"])
@pytest.mark.parametrize("kind", KINDS)
def test_keras_2_environments_have_the_versions_that_are_right(name: str, kind: str) -> None:
    found = read(name, kind)
    assert found.python == "3.6"
    assert {"Keras==2.1.6", "numpy==1.16.6"} <= set(found.pins)
    engines = {"theano": "theano", "tensorflow": "tensorflow", "cntk": "cntk"}
    others = [other for other in engines if other != name]
    assert not [
        pin for pin in found.pins if pin.lower().startswith(tuple(f"{other}=" for other in others))
    ]


@pytest.mark.parametrize("name", ["tensorflow2", "jax", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_keras_3_environments_share_keras_and_numpy(name: str, kind: str) -> None:
    found = read(name, kind)
    assert found.python == "3.11"
    assert {"keras==3.15.1", "numpy==2.4.6"} <= set(found.pins)


def test_only_the_meaning_of_a_file_counts(tmp_path: Path) -> None:
    first = read(
        str(environment_file(tmp_path, "tiny", "3.11", "six==1.16.0", "wheel==0.37.1")), "cpu"
    )
    path = environment_file(tmp_path, "tiny", "3.11", "wheel==0.37.1", "six==1.16.0")
    path.write_text("# a remark\n\n" + path.read_text())
    assert read(str(path), "cpu").digest == first.digest
    changed = environment_file(tmp_path, "tiny", "3.11", "six==1.16.0", "wheel==0.38.0")
    assert read(str(changed), "cpu").digest != first.digest


def test_tools_and_conda_packages_are_told_apart(tmp_path: Path) -> None:
    more = "  - setuptools=59.6.0\n  - cudatoolkit=10.0\n  - pygpu\n"
    found = read(str(environment_file(tmp_path, more=more)), "cpu")
    assert found.tools == ("setuptools==59.6.0",)
    assert found.conda_only == ("cudatoolkit=10.0", "pygpu")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: x\n", "no list of dependencies"),
        ("dependencies: [pip]\n", "names no Python"),
        ("dependencies: [python=3.11, {pip: [numpy]}]\n", "'numpy' unpinned"),
        ("dependencies: [python=3.11, {pip: ['numpy>=2']}]\n", "unpinned"),
        ("dependencies: [\n", "cannot be read"),
        ("- a list\n", "no list of dependencies"),
    ],
)
def test_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told) as refused:
        read(str(path), "cpu")
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


def test_missing_file_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="choose from cntk, cntk-gpu, jax"):
        read("caffe", "cpu")


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose from cpu, gpu"):
        read("jax", "tpu")
