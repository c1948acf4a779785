"""The worker is a guest: Python 3.6, NumPy, Keras, its engines; nothing else of this project."""

import ast
import importlib.util
import inspect
from pathlib import Path

import pytest
import yaml

WORKER = Path(__file__).resolve().parents[3] / "experiments" / "worker"
CONF = WORKER.parents[1] / "conf"
FILES = sorted(WORKER.rglob("*.py"))
# What Python 3.6's standard library has, as far as a worker could want it.
STANDARD = {
    "abc",
    "argparse",
    "collections",
    "contextlib",
    "copy",
    "datetime",
    "errno",
    "faulthandler",
    "functools",
    "gc",
    "hashlib",
    "importlib",
    "io",
    "itertools",
    "json",
    "math",
    "operator",
    "os",
    "platform",
    "random",
    "re",
    "resource",
    "shutil",
    "signal",
    "socket",
    "struct",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "traceback",
    "types",
    "typing",
    "warnings",
}
ENGINES = {"numpy", "keras", "tensorflow", "theano", "cntk", "jax", "torch"}
TOO_NEW = {
    "Final",
    "Literal",
    "Protocol",
    "TypedDict",
    "Annotated",
    "ParamSpec",
    "Self",
    "override",
    "final",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 6))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(WORKER)))
def test_python_36_can_read_it(path):
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.NamedExpr), f"line {node.lineno}: := came with 3.8"
        if isinstance(node, ast.JoinedStr):
            source = ast.get_source_segment(path.read_text(encoding="utf-8"), node) or ""
            assert "=}" not in source, f"line {node.lineno}: {{x=}} came with 3.8"
        if isinstance(node, ast.arguments):
            assert not node.posonlyargs, "/ came with 3.8"
        if isinstance(node, ast.ImportFrom):
            assert node.module != "__future__", "annotations came with 3.7"
            assert node.module != "typing" or not {name.name for name in node.names} & TOO_NEW
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            assert node.value.id not in {"list", "dict", "tuple", "set", "type"}, (
                f"line {node.lineno}: {node.value.id}[…] came with 3.9"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(WORKER)))
def test_it_imports_nothing_that_a_guest_cannot_have(path):
    for node in ast.walk(tree(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            assert (
                top in STANDARD | ENGINES
                or name == "experiments.worker"
                or name.startswith("experiments.worker.")
            ), f"line {node.lineno}: {name}"


@pytest.mark.parametrize("path", sorted(CONF.glob("task/*.yaml")), ids=lambda path: path.stem)
def test_every_tasks_model_has_a_builder(path):
    name = yaml.safe_load(path.read_text())["model"]["builder"]
    spec = importlib.util.find_spec(f"experiments.worker.models.{name}")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert list(inspect.signature(module.build).parameters) == ["engine", "spec", "extra"]


@pytest.mark.parametrize("path", sorted(CONF.glob("task/*.yaml")), ids=lambda path: path.stem)
def test_builders_use_every_hyper_parameter(path):
    """A key of the model's section that no code reads would promise what is not done."""
    model = yaml.safe_load(path.read_text())["model"]
    read = (WORKER / "models" / f"{model['builder']}.py").read_text()
    if "engine.lstm(" in read:
        read += (WORKER / "engines" / "base.py").read_text() + (
            WORKER / "engines" / "keras2.py"
        ).read_text()
    unread = [key for key in model if key != "builder" and f'spec["{key}"]' not in read]
    assert not unread


@pytest.mark.parametrize("path", sorted(CONF.glob("backend/*.yaml")), ids=lambda path: path.stem)
def test_every_backend_has_an_engine(path):
    backend = yaml.safe_load(path.read_text())
    name = f"keras{backend['keras_generation']}_{backend['keras_backend']}"
    source = (WORKER / "engines" / f"{name}.py").read_text()
    assert f'backend = "{backend["keras_backend"]}"' in source
    assert "\nENGINE = " in source
