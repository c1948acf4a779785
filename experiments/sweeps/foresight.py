"""What a sweep would have to build or download, found out without doing any of it."""

from collections.abc import Callable

from experiments.config import RunConfig
from experiments.errors import DataError, UserError
from experiments.sweeps.survey import Prospect


def foresee_data(needs: list[str]) -> Callable[[RunConfig], str | None]:
    """A `digest` for `survey` that downloads and prepares nothing; what is missing goes to `needs`.

    None for data that has yet to be downloaded: its digest is known only then.
    """
    from experiments.datasets import fetch, sources

    def digest(config: RunConfig) -> str | None:
        dataset, data = config.task.dataset, config.data
        if data.name in ("official", "auto") and not fetch.all_cached(dataset):
            missing = [name for name in dataset.files if not (fetch.downloads() / name).exists()]
            if data.name == "official" or not any(fetch.unreachable(dataset.files[n].url) for n in missing):
                _add(needs, f"download {', '.join(missing)} for {dataset.title}")
                return None
            _add(needs, f"synthetic data stands in for {dataset.title}: its publisher is not reachable")
        try:
            return sources.resolve(sources.dataset_module(dataset.name), dataset, data, _silent).digest
        except DataError:
            raise
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}") from None

    return digest


def foresee_environments(prospects: list[Prospect], needs: list[str]) -> None:
    """What has to be built before the prospects can be measured, as lines in `needs`."""
    from experiments.environments import inventory

    for prospect in prospects:
        config, device = prospect.cell.config, prospect.device
        if device is None or prospect.refusal is not None or config.backend.python:
            continue
        try:
            entry = inventory.look(config.backend, device.kind)
        except UserError as error:
            _add(needs, str(error))
            continue
        if entry.state == inventory.BUILT:
            continue
        how = f"with Python {entry.found}" if not entry.found.startswith("none") else (
            f"needs Python {entry.python}, and no interpreter was found")
        _add(needs, f"build the environment of {config.backend.title} ({device.kind}; {how})")


def _add(needs: list[str], text: str) -> None:
    if text not in needs:
        needs.append(text)


def _silent(text: str) -> None:
    """Nobody is told: nothing happens."""
