"""A journal as a whole run leaves it, with times that do not depend on the clock."""

import json
from pathlib import Path
from typing import Any

from experiments.journal import journal

EPOCHS = [
    {
        "epoch": number, "train_seconds": train, "validation_seconds": 0.5, "epoch_seconds": train + 0.5,
        "samples_per_second": 100 / train, "loss": 1.0 / 2 ** (number - 1), "accuracy": 0.5 + number / 10,
        "val_loss": 1.0 / number, "val_accuracy": 0.5 + number / 8,
    }
    for number, train in ((1, 5.0), (2, 2.0), (3, 2.0))
]  # fmt: skip


def complete_journal(
    folder: Path, identity: str = "a" * 32, epochs: list[dict[str, Any]] | None = None, state: str = "finished",
    end: bool = True, closed: bool = True, params: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None, **job: Any,
) -> Path:  # fmt: skip
    """Write it and a log into `folder`; its path. Without `end` the parent died while the worker
    trained.
    """
    events: list[tuple[str, dict[str, Any]]] = [
        ("job", {
            "name": "mnist_mlp jax smoke #1", "description": "MLP on MNIST", "task": "mnist_mlp", "backend": "jax",
            "gpu": "cpu", "profile": "smoke", "data": "synthetic", "repetition": 1, "keras_generation": 3,
            "quality_metric": "val_accuracy", "host": {"hostname": "here", "cpu_model": "c"}, **job,
        }),
        ("prepared", {
            "protocol_id": "0123456789ab", "dataset": "mnist", "data_source": "synthetic", "data_digest": "d" * 12,
            "data_warning": None, "device_kind": "cpu", "device_name": "c",
            "params": params or {"hp.optimizer.learning_rate": 0.001, "run.tf32": False}, "facts": facts or {},
        }),
        ("imported", {"import_seconds": 1.5, "versions": {"keras": "3.15.1", "python": "3.11.7"}}),
        ("device", {"kind": "cpu", "name": "c", "report": "CPU:0", "proof": 6.0, "memory_bytes": None}),
        ("built", {"build_seconds": 0.25, "parameters": 1000}),
        *(("epoch", epoch) for epoch in (EPOCHS if epochs is None else epochs)),
    ]  # fmt: skip
    if end:
        events.append(("end", {"state": state, "reason": None, "total_seconds": 9.5, "peak_rss_bytes": 10**9,
                               "peak_device_bytes": None, "cpu_seconds": 8.0}))  # fmt: skip
    if end and closed:
        events.append(
            ("closed", {"state": state, "reason": None, "flags": ["noisy", "loaded"], "facts": {}})
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / journal.FILE_NAME
    with path.open("w") as stream:
        for number, (name, fields) in enumerate(events):
            when = (
                1010.0
                if name == "closed"
                else 1000.0 + (number if number < 8 else 8 + number / 1e3)
            )
            record = {"v": 1, "seq": number, "id": identity, "t": when, "event": name, **fields}
            stream.write(json.dumps(journal_safe(record)) + "\n")
    (folder / "worker.log").write_text("a line of the worker\n")
    return path


def journal_safe(record: dict[str, Any]) -> Any:
    """NaN and infinities as the journal spells them."""
    from experiments.journal.events import encoded

    return encoded(record)
