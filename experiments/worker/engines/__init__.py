"""Keras 2 and 3 behind one interface: a model is written once and computes the same on all engines.

One module per engine, found by its name: `keras<generation>_<keras backend>`. `load(job)` seeds,
sets threads and devices, imports Keras for the job's backend and returns its `Engine`.
"""

import importlib
import os
import time
from typing import Any, Dict

from experiments.worker.engines.base import Engine
from experiments.worker.engines.device import DeviceMismatch

__all__ = ["DeviceMismatch", "Engine", "load"]

Job = Dict[str, Any]


def load(job: Job) -> Engine:
    """Import Keras for `job` and return the engine, seeded and configured.

    `job` needs keras_backend, keras_generation, threads, device, settings and seed, as in job.json.
    Only one engine can be loaded in a process. Raises ImportError where the engine is not
    installed, ValueError where the installed Keras is of another generation, DeviceMismatch where
    the device cannot be selected.
    """
    began = time.perf_counter()
    os.environ["KERAS_BACKEND"] = job["keras_backend"]
    name = "experiments.worker.engines.keras%d_%s" % (job["keras_generation"], job["keras_backend"])
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name != name:
            raise
        message = "no engine %s under Keras %d" % (job["keras_backend"], job["keras_generation"])
        raise ValueError(message) from error
    engine: Engine = module.ENGINE(job)
    engine.start()
    engine.import_seconds = time.perf_counter() - began
    return engine
