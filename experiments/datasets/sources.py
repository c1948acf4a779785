"""Where a data set's raw content comes from: the publisher, the user's folder or a seeded twin."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from experiments.config.schema import DataConfig, DatasetConfig
from experiments.datasets import fetch, members
from experiments.datasets.arrays import ArrayFolder, MalformedError, Portion
from experiments.datasets.digests import file_sum, remember
from experiments.datasets.fetch import Say, UnavailableError, one_line
from experiments.errors import ConfigError, DataError

NAMES = ("auto", "official", "local", "synthetic")
SYNTHETIC_SEED = 2017  # one twin for all runs, whatever their seed, so that they can be compared
DIGEST_DIGITS = 16


class DatasetModule(Protocol):
    """What experiments/datasets/members/<data set>.py offers.

    It may also have content_sums(files), the sums of what counts inside archives, and
    remark(files, md5), what a reader must know about local files.
    """

    RECIPE: int
    CHOICES: tuple[tuple[str, ...], ...]

    def load(self, files: Mapping[str, Path]) -> Any:
        """Raw arrays from files by base name; any exception if they are not what they should be."""

    def synthetic(self, seed: int) -> Any:
        """A learnable twin of what load returns."""

    def prepare(
        self, raw: Any, preparation: Mapping[str, Any], portion: Portion, out: ArrayFolder
    ) -> dict[str, Any]:
        """Write the four arrays x|y_train|validation; returns JSON-able extras for the model."""


@dataclass(frozen=True)
class Source:
    """Raw content that was found: its kind, files by base name, digest, and a warning."""

    kind: str
    files: dict[str, Path]
    digest: str
    warning: str | None = None
    note: str = ""  # worth a line when the arrays are made, not at every use


def dataset_module(name: str) -> DatasetModule:
    """The module of a data set, by name; ConfigError with the choices if there is none."""
    names = sorted(module.name for module in pkgutil.iter_modules(members.__path__))
    if name not in names:
        raise ConfigError(f"there is no data set {name!r}; choose from {', '.join(names)}")
    return cast(DatasetModule, importlib.import_module(f"{members.__name__}.{name}"))


@dataclass(frozen=True)
class Decision:
    """What data=official or data=auto comes to, before anything is downloaded.

    missing: files to download. unreachable: why the publisher cannot be reached, "" if it can be;
    then data=auto takes the synthetic twin.
    """

    missing: tuple[str, ...] = ()
    unreachable: str = ""


def decide(dataset: DatasetConfig, data: DataConfig) -> Decision:
    """Whether the publisher's files are cached, can be downloaded, or cannot be reached."""
    if data.name not in ("official", "auto") or fetch.all_cached(dataset):
        return Decision()
    missing = tuple(name for name in dataset.files if not (fetch.downloads() / name).exists())
    if data.name == "auto":
        for name in missing:
            url = dataset.files[name].url
            if reason := fetch.unreachable(url):
                return Decision(unreachable=f"{url} is not reachable ({reason})")
    return Decision(missing)


def resolve(module: DatasetModule, dataset: DatasetConfig, data: DataConfig, say: Say) -> Source:
    """Find the raw content that data=… asks for; DataError with the next step if it is missing."""
    if data.name == "synthetic":
        return _synthetic(module, dataset)
    if data.name == "local":
        return _local(module, dataset, data.dir)
    if data.name == "official":
        return _official(module, dataset, say)
    if data.name == "auto":
        return _auto(module, dataset, data, say)
    raise ConfigError(f"data={data.name} is unknown; choose from {', '.join(NAMES)}")


def _synthetic(module: DatasetModule, dataset: DatasetConfig, warning: str | None = None) -> Source:
    recipe = f"synthetic {dataset.name} recipe {module.RECIPE} seed {SYNTHETIC_SEED}"
    return Source(
        "synthetic", {}, hashlib.sha256(recipe.encode()).hexdigest()[:DIGEST_DIGITS], warning
    )


def _official(module: DatasetModule, dataset: DatasetConfig, say: Say) -> Source:
    files = fetch.official_files(dataset, say)
    return Source("official", files, digest_of(module, files))


def _auto(module: DatasetModule, dataset: DatasetConfig, data: DataConfig, say: Say) -> Source:
    """The publisher's files if they are cached or reachable, else the twin with a warning."""
    reason = decide(dataset, data).unreachable
    if not reason:
        try:
            return _official(module, dataset, say)
        except UnavailableError as error:
            reason = str(error).partition("; use data=")[0]
    advice = "use data=local data.dir=FOLDER for real data"
    warning = f"SYNTHETIC data stands in for {dataset.title}: {reason}; {advice}"
    return _synthetic(module, dataset, warning)


def _local(module: DatasetModule, dataset: DatasetConfig, folder_name: str | None) -> Source:
    """The first complete choice of files in data.dir, checked against sums that lie beside them."""
    if not folder_name:
        raise ConfigError(f"data=local needs data.dir=FOLDER, the folder with {_choices(module)}")
    files = local_files(module, dataset, Path(folder_name).expanduser().absolute())
    published = {name: source.sha256 for name, source in dataset.files.items() if source.sha256}
    try:
        for path in files.values():
            if expected := sum_beside(path):
                fetch.check_sum(path, expected, "copy the file again, or remove the sum beside it")
        digest = digest_of(module, files)
        sums = {name: file_sum(files[name]) for name in files.keys() & published.keys()}
        remark = getattr(module, "remark", None)
        warning = remark(files, lambda path: file_sum(path, "md5")) if remark else None
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
    foreign = [name for name, found in sums.items() if found != published[name]]
    note = (
        f"{', '.join(foreign)} differs from the publisher's: "
        f"its results are kept apart by their digest {digest}"
    )
    return Source("local", files, digest, warning, note if foreign else "")


def _choices(module: DatasetModule) -> str:
    """The files that a folder may have, for messages; several are named by their folder."""
    names = (
        choice[0] if len(choice) == 1 else str(Path(choice[0]).parent) + "/"
        for choice in module.CHOICES
    )
    return " or ".join(names)


def local_files(module: DatasetModule, dataset: DatasetConfig, folder: Path) -> dict[str, Path]:
    """Files by base name of the first choice that is complete; DataError names what is missing."""
    if not folder.is_dir():
        raise DataError(
            f"data.dir={folder} is not a folder; {dataset.title} needs {_choices(module)} in it"
        )
    missing = ""
    for choice in module.CHOICES:
        absent = [name for name in choice if not (folder / name).exists()]
        if not absent:
            return {Path(name).name: folder / name for name in choice}
        if len(absent) < len(choice) and not missing:
            missing = f"{folder / absent[0]} is missing"
    missing = missing or f"{folder / module.CHOICES[0][0]} is missing"
    raise DataError(
        f"{missing}: {dataset.title} needs {_choices(module)} in data.dir; "
        "or use data=official or data=synthetic"
    )


def sum_beside(path: Path) -> str | None:
    """The sha256 that FILE.sha256 or SHA256SUMS beside the file states for it, if any."""
    for record, names in (
        (path.with_name(path.name + ".sha256"), ("", path.name)),
        (path.with_name("SHA256SUMS"), (path.name,)),
    ):
        if not record.is_file():
            continue
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            stated, _, name = line.strip().partition(" ")
            if len(stated) == 64 and name.strip().lstrip("*") in names:
                return stated
    return None


def digest_of(module: DatasetModule, files: Mapping[str, Path]) -> str:
    """16 hex digits over the raw files: a single file's sha256, or that of the list of sums.

    What counts is the content inside: an archive has the digest of its unpacked folder.
    """
    content_sums = getattr(module, "content_sums", None)
    sums: dict[str, str] | None = None
    if content_sums is not None and len(files) == 1:
        (path,) = files.values()
        try:
            sums = remember(path, "content", lambda: content_sums(files))
        except Exception as error:  # a foreign archive may break its reader in any way
            raise unreadable(error, files, {}) from None
    sums = sums or {name: file_sum(path) for name, path in files.items()}
    if len(sums) == 1:
        return next(iter(sums.values()))[:DIGEST_DIGITS]
    lines = "".join(f"{value}  {name}\n" for name, value in sorted(sums.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGEST_DIGITS]


def load(module: DatasetModule, dataset: DatasetConfig, source: Source) -> Any:
    """The raw content of a source; DataError names the file and its sums if it cannot be read."""
    if source.kind == "synthetic":
        return module.synthetic(SYNTHETIC_SEED)
    try:
        return module.load(source.files)
    except Exception as error:  # a foreign file may break its reader in any way
        raise unreadable(error, source.files, dataset.files) from None


def unreadable(
    error: Exception, files: Mapping[str, Path], published: Mapping[str, Any]
) -> DataError:
    """The one-line error for a file with unexpected content, with the sums found and expected."""
    if isinstance(error, MalformedError):
        path, detail = error.path, error.detail
    else:
        path, detail = next(iter(files.values())), f"{type(error).__name__}: {one_line(error)}"
    try:
        found = file_sum(path)
    except OSError:
        return DataError(f"{path} cannot be read: {detail}")
    publishers = getattr(published.get(path.name), "sha256", None)
    expected = f", the publisher's is {publishers}" if publishers else ""
    return DataError(f"{path} cannot be used: {detail}; sha256 found {found}{expected}")
