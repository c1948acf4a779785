"""The identity of what a run computes, from the parameters that it is stored with.

Work is what is computed, whatever computes it: task, data, model, gates, optimizer, loss, batch,
epochs, shuffle, augmentation, precision. Runs with equal work in an equal place may be divided by
each other, Keras 2 and 3 included: one preparation feeds all engines, and the self-check proves
that they compute the same functions. It is read from a run's stored parameters, so runs that were
stored before it was logged have it too. Standard library only.
"""

import hashlib
import json
from collections.abc import Mapping

from experiments import names

# Which loop computes a recurrent layer is a property of the stack, not of the work.
_NOT_WORK = (names.PREFIX_HYPER + "model.implementation",)
_REQUIRED = (
    names.PARAM_EPOCHS,
    names.PARAM_BATCH,
    names.PARAM_TRAIN_SAMPLES,
    names.PARAM_VALIDATION_SAMPLES,
)
_OPTIONAL = (names.PARAM_SHUFFLE, names.PARAM_TF32, names.PARAM_PRECISION)


def work_of(task: str, data_digest: str, params: Mapping[str, str]) -> dict[str, str] | None:
    """Everything that decides the work, as stored text; None if the run ended before `prepared`.

    params: the run's parameters as MLflow keeps them, names to text.
    """
    if not task or not data_digest or any(key not in params for key in _REQUIRED):
        return None
    hyper = [key for key in params if key.startswith(names.PREFIX_HYPER) and key not in _NOT_WORK]
    kept = (*_REQUIRED, *(key for key in _OPTIONAL if key in params), *hyper)
    return {"task": task, "data_digest": data_digest, **{key: params[key] for key in sorted(kept)}}


def work_id(task: str, data_digest: str, params: Mapping[str, str]) -> str | None:
    """12 hex digits over `work_of`; equal ids compute the same. None if the work is not known."""
    work = work_of(task, data_digest, params)
    if work is None:
        return None
    return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:12]
