"""Scrubbing: what identifies a person or a machine goes, what a table needs stays."""

import copy
import math
from typing import Any

import pytest

from experiments.sharing.scrub import Secrets, alias, changes, scrub

SECRETS = Secrets(
    hosts=frozenset({"lab-pc-7.example.org", "lab-pc-7"}),
    users=frozenset({"jdoe"}),
    folders=frozenset({"/nfs/people/jane doe"}),
)


def job(**fields: Any) -> dict[str, Any]:
    host = {"hostname": "lab-pc-7", "cpu_model": "Some CPU", "system": "Linux 6.1.0-18-amd64"}
    return {"v": 1, "seq": 0, "id": "a", "t": 1.0, "event": "job", "host": host, **fields}


def reason(text: str) -> str:
    event = {"v": 1, "seq": 1, "id": "a", "t": 2.0, "event": "closed", "reason": text}
    return str(scrub([event], SECRETS)[0]["reason"])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("cannot read /home/jdoe/data/x.npz: gone", "cannot read <path>: gone"),
        ("cannot read /root", "cannot read <path>"),
        ("No such file: '/home/Jane Doe/my data/x.npz'", "No such file: '<path>'"),
        ("in /nfs/people/jane doe/runs/a.py, line 3", "in <path>, line 3"),
        ("see ~/notes/a.txt", "see <path>"),
        ("g++ -I/usr/include/python3.6 -L/opt/lib -lm", "g++ -I<path> -L<path> -lm"),
        ("PATH=/usr/bin:/home/jdoe/bin", "PATH=<path>:<path>"),
        (r"open C:\Users\jdoe\x.txt failed", "open <path> failed"),
        ("store postgresql://jdoe:secret@db.internal:5432/x is away", "store <address> is away"),
        ("sqlite:////srv/mlflow.db is locked", "<address> is locked"),
        ("10.1.2.3 does not answer jdoe@example.org", "<address> does not answer <address>"),
        ("lab-pc-7.example.org and lab-pc-7 lost jdoe", "<host> and <host> lost <user>"),
        ("GPU-12345678-1234-1234-1234-123456789abc is gone", "<serial> is gone"),
    ],
)
def test_texts_lose_names_paths_and_addresses(text: str, clean: str) -> None:
    assert reason(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "/job:localhost/replica:0/task:0/device:CPU:0",
        "/device:CPU:0; /device:XLA_CPU:0 device: XLA_CPU device",
        "train/validation 3/4 at 12.5 GFLOP/s, jdoes lab-pc-70",
        "device=cpu, floatX=float32, blas.ldflags=set",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert reason(text) == text


@pytest.mark.parametrize(
    ("system", "coarse"),
    [
        ("Linux 6.1.0-18-amd64", "Linux 6.1"),
        ("Linux-6.1.0-18-amd64-x86_64-with-glibc2.36", "Linux-6.1-x86_64-with-glibc2.36"),
        ("Linux-5.15.9-company-build-aarch64-with-debian-12", "Linux-5.15-aarch64-with-debian-12"),
        ("Darwin 23.4.0", "Darwin 23.4"),
    ],
)
def test_kernel_keeps_its_version_and_loses_its_build(system: str, coarse: str) -> None:
    assert reason(system) == coarse


def test_host_gets_one_alias_for_all_its_journals() -> None:
    first, second = scrub([job(), job(backend="jax")], SECRETS)
    assert first["host"]["hostname"] == second["host"]["hostname"] == alias("lab-pc-7", "Some CPU")
    other = job()
    other["host"]["hostname"] = "elsewhere"
    assert scrub([other], SECRETS)[0]["host"]["hostname"] != first["host"]["hostname"]
    assert first["host"]["hostname"].startswith("host-")


def test_vocabulary_stays_even_if_a_host_is_called_like_a_backend() -> None:
    secrets = Secrets(hosts=frozenset({"jax"}), users=frozenset({"mnist"}))
    event = job(backend="jax", dataset="mnist", params={"backend": "jax"}, reason="jax of mnist")
    clean = scrub([event], secrets)[0]
    assert (clean["backend"], clean["dataset"], clean["params"]) == (
        "jax",
        "mnist",
        {"backend": "jax"},
    )
    assert clean["reason"] == "<host> of <user>"


def test_paths_go_from_parameters_too_and_serials_by_their_key() -> None:
    event = job(params={"setting.variables.X": "/home/jdoe/x"}, gpu_serial=1234, gpu_uuid=None)
    clean = scrub([event], SECRETS)[0]
    assert clean["params"] == {"setting.variables.X": "<path>"}
    assert clean["gpu_serial"] == "<serial>" and clean["gpu_uuid"] is None


def test_the_run_of_another_store_is_dropped_and_the_original_is_untouched() -> None:
    event = job(mlflow_run_id="0123", experiment="e")
    before = copy.deepcopy(event)
    clean = scrub([event], SECRETS)[0]
    assert clean["mlflow_run_id"] is None and clean["experiment"] == "e" and event == before


def test_changes_name_each_place_and_count_it() -> None:
    quiet = {"v": 1, "seq": 1, "id": "a", "t": 2.0, "event": "epoch", "loss": math.nan}
    events = [job(), job(), quiet, {**quiet, "event": "closed", "reason": "at /srv/x"}]
    found = changes(events, scrub(events, SECRETS))
    assert found == {"job.host.hostname": 2, "job.host.system": 2, "closed.reason": 1}


def test_names_are_taken_from_the_events_of_another_machine() -> None:
    other = job(reason="/home/maria/x and maria")
    secrets = Secrets.of([other])
    assert "maria" in secrets.users and "lab-pc-7" in secrets.hosts
    assert scrub([other], secrets)[0]["reason"] == "<path> and <user>"
