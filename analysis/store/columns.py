"""The tidy table: one row per run, every column documented with its type, unit and origin in
MLflow.

Standard library only, so that the command line can print the list without importing pandas.
"""

from dataclasses import dataclass

from experiments import names

STR, FLOAT, INT, TIME = "str", "float64", "Int64", "datetime64[ms, UTC]"


@dataclass(frozen=True)
class Column:
    """One column; `kind` (attribute, tag, param, metric, prefix) and `key` say where it is from."""

    name: str
    dtype: str
    unit: str
    kind: str
    key: str
    meaning: str


def _tag(name: str, key: str, meaning: str, dtype: str = STR, unit: str = "") -> Column:
    return Column(name, dtype, unit, "tag", key, meaning)


def _param(name: str, key: str, meaning: str, dtype: str = STR, unit: str = "") -> Column:
    return Column(name, dtype, unit, "param", key, meaning)


_ATTRIBUTES = (
    Column("run_id", STR, "", "attribute", "run_id", "MLflow's id of the run"),
    Column("run_name", STR, "", "attribute", "run_name", "the run's name in MLflow"),
    Column("experiment_id", STR, "", "attribute", "experiment_id", "MLflow's id of the experiment"),
    Column(
        "mlflow_status",
        STR,
        "",
        "attribute",
        "status",
        "RUNNING, SCHEDULED, FINISHED, FAILED or KILLED",
    ),
    Column("start_time", TIME, "UTC", "attribute", "start_time", "when the run was started"),
    Column(
        "end_time",
        TIME,
        "UTC",
        "attribute",
        "end_time",
        "when the run ended; missing while it goes on",
    ),
)

_TAGS = (
    _tag("schema", names.TAG_SCHEMA, "version of the names that the run is stored under", INT),
    _tag("kind", names.TAG_KIND, "run, or sweep (a sweep's own summary run)"),
    _tag(
        "state",
        names.TAG_STATE,
        f"end state: {', '.join(names.STATES)}; missing while the run goes on",
    ),
    _tag("reason", names.TAG_REASON, "one line for every state but finished"),
    _tag("source", names.TAG_SOURCE, "measured here, or published by others"),
    _tag(
        "published_source",
        names.TAG_PUBLISHED_SOURCE,
        "which publication a published figure is from",
    ),
    _tag(
        "work_id",
        names.TAG_WORK,
        "hash of what is computed; equal work in an equal place may be divided",
    ),
    _tag("stack_facts", names.TAG_STACK, "JSON: backend, Keras, engine, recurrent path, settings"),
    _tag("place_facts", names.TAG_PLACE, "JSON: device, threads, affinity, host"),
    _tag(
        "protocol_id",
        names.TAG_PROTOCOL,
        "hash of all that decides the work; only equal ones are compared",
    ),
    _tag("journal_id", names.TAG_JOURNAL, "the run's identity in its journal"),
    _tag("sweep_id", names.TAG_SWEEP, "the sweep that the run is part of"),
    _tag("block", names.TAG_BLOCK, "block of the sweep (one block: every cell once)", INT),
    _tag("repetition", names.TAG_REPETITION, "number of the repetition, from 1", INT),
    _tag("data_source", names.TAG_DATA_SOURCE, "official, local or synthetic data"),
    _tag(
        "data_digest",
        names.TAG_DATA_DIGEST,
        "hash of the data's source files, or of the synthetic recipe",
    ),
    _tag(
        "data_warning",
        names.TAG_DATA_WARNING,
        "why synthetic data stands in, or a remark on local data",
    ),
    _tag("device_kind", names.TAG_DEVICE_KIND, "cpu or gpu"),
    _tag(
        "device_name", names.TAG_DEVICE_NAME, "processor model or GPU name: the column of a table"
    ),
    _tag("keras_generation", names.TAG_GENERATION, "2 or 3", INT),
    _tag("quality_metric", names.TAG_QUALITY_METRIC, "what the task's quality is read from"),
    _tag("flags", names.TAG_FLAGS, "comma-separated warnings of the measurement; empty: none"),
    _tag("git_commit", names.TAG_COMMIT, "commit of the code that measured"),
    _tag("git_dirty", names.TAG_DIRTY, "True where tracked files differed from the commit"),
    _tag("host", names.TAG_HOST, "name of the machine"),
    _tag(
        "resolution_seconds",
        names.TAG_RESOLUTION,
        "step that a published time is rounded to",
        FLOAT,
        "s",
    ),
    _tag("notes", names.TAG_NOTES, "remarks"),
    _tag(
        "steady_train_each",
        names.TAG_STEADY,
        "training seconds of epochs 2 to the last, space-separated",
        unit="s",
    ),
)

_PARAMS = (
    _param("task", names.PARAM_TASK, "what is trained"),
    _param("backend", names.PARAM_BACKEND, "the engine that trains"),
    _param("gpu", names.PARAM_GPU, "the device as it was asked for"),
    _param("profile", names.PARAM_PROFILE, "smoke, quick, published or tuned"),
    _param("data", names.PARAM_DATA, "the data as they were asked for"),
    _param("threads", names.PARAM_THREADS, "threads of the worker", INT),
    _param(
        "affinity", names.PARAM_AFFINITY, "processors that the worker was pinned to; null: none"
    ),
    _param("seed", names.PARAM_SEED, "seed of the run", INT),
    _param("epochs", names.PARAM_EPOCHS, "planned epochs", INT),
    _param("batch", names.PARAM_BATCH, "samples per training step", INT, "samples"),
    _param("fraction", names.PARAM_FRACTION, "share of the training data", FLOAT),
    _param(
        "train_samples", names.PARAM_TRAIN_SAMPLES, "training samples per epoch", INT, "samples"
    ),
    _param(
        "validation_samples", names.PARAM_VALIDATION_SAMPLES, "validation samples", INT, "samples"
    ),
    _param(
        "price_per_hour",
        names.PARAM_PRICE,
        "price of the device, in the currency it was configured in",
        FLOAT,
    ),
    _param("target", names.PARAM_TARGET, "the task's quality target", FLOAT),
)

_PREFIXES = (
    Column("hyper", STR, "", "prefix", names.PREFIX_HYPER, "hyper-parameters, one JSON object"),
    Column(
        "versions",
        STR,
        "",
        "prefix",
        names.PREFIX_VERSION,
        "versions of Keras and its engine, one JSON object",
    ),
    Column("host_facts", STR, "", "prefix", "host.", "facts of the machine, one JSON object"),
    Column("settings", STR, "", "prefix", "setting.", "the backend's settings, one JSON object"),
)

_METRIC_MEANINGS = {
    "steady_train_seconds": ("s", "median training time of epochs 2 to the last"),
    "steady_epoch_seconds": ("s", "median of training and validation time, epochs 2 to the last"),
    "steady_samples_per_second": ("samples/s", "training samples / steady_train_seconds"),
    "steady_mad_ratio": (
        "",
        "median absolute deviation / median of training time, epochs 2 to the last",
    ),
    "steady_epochs": ("epochs", "epochs behind the steady figures"),
    "mean_epoch_seconds": (
        "s",
        "mean over all epochs, first one and validation included: what 2017 printed",
    ),
    "first_epoch_seconds": ("s", "first epoch, validation included"),
    "first_train_seconds": ("s", "training time of the first epoch"),
    "import_seconds": ("s", "importing Keras and its engine"),
    "data_load_seconds": ("s", "mapping and touching the prepared arrays"),
    "build_seconds": ("s", "building and compiling the model"),
    "compile_seconds": ("s", "build + max(0, first - steady training time)"),
    "validation_steady_seconds": ("s", "median validation time, epochs 2 to the last"),
    "total_seconds": (
        "s",
        "from the worker's start to the end of the planned epochs, all included",
    ),
    "last_loss": ("", "training loss of the last epoch"),
    "last_accuracy": ("", "training accuracy of the last epoch"),
    "last_val_loss": ("", "validation loss of the last epoch"),
    "best_val_loss": ("", "lowest validation loss of any epoch"),
    "last_val_accuracy": ("", "validation accuracy of the last epoch"),
    "best_val_accuracy": ("", "highest validation accuracy of any epoch"),
    "time_to_target_seconds": (
        "s",
        "training and validation time to the end of the first epoch at the target",
    ),
    "epochs_done": ("epochs", "epochs that were trained"),
    "parameters": ("weights", "trainable weights of the model"),
    "peak_rss_bytes": ("B", "largest resident memory of the worker"),
    "peak_device_bytes": ("B", "largest memory in use on the device"),
    "energy_joules": ("J", "energy of the measured time, where a meter exists"),
    "cost": ("", "price per hour x total time, in the currency of the price"),
    "ceiling_gemm_gflops": ("GFLOP/s", "the machine's float32 matrix product"),
    "ceiling_copy_gbytes_per_second": ("GB/s", "the machine's memory copy, read + write"),
    "cpu_seconds": ("s", "user + system time of the worker"),
    "load_before": ("processes", "load average before the run"),
    "load_after": ("processes", "load average after the run"),
}


def _metric(key: str) -> Column:
    unit, meaning = _METRIC_MEANINGS.get(key, ("", "summary metric"))
    return Column(key, FLOAT, unit, "metric", key, meaning)


COLUMNS: tuple[Column, ...] = (
    *_ATTRIBUTES,
    *_TAGS,
    *_PARAMS,
    *_PREFIXES,
    *(_metric(key) for key in names.SUMMARY_METRICS),
)
BY_NAME = {column.name: column for column in COLUMNS}

# The second tidy table, one row per run and epoch.
EPOCH_COLUMNS: tuple[Column, ...] = (
    Column("run_id", STR, "", "attribute", "run_id", "MLflow's id of the run"),
    Column("epoch", INT, "", "step", "step", "number of the epoch, from 1"),
    *(
        Column(
            key,
            FLOAT,
            "s" if key.endswith("_seconds") else "samples/s" if key.startswith("samples") else "",
            "metric",
            key,
            f"{key.replace('_', ' ')} of the epoch",
        )
        for key in names.EPOCH_METRICS
    ),
)

# What a comparison may select by (`compare backend=jax,profile=quick ...`), with short names for
# some.
SELECTABLE = (
    "task",
    "backend",
    "gpu",
    "profile",
    "data",
    "device_name",
    "device_kind",
    "host",
    "threads",
    "source",
    "published_source",
    "data_source",
    "keras_generation",
    "sweep_id",
    "git_commit",
    "work_id",
    "protocol_id",
    "run_id",
    "repetition",
    "block",
    "seed",
    "batch",
    "epochs",
    "fraction",
    "state",
)
ALIASES = {
    "sweep": "sweep_id",
    "commit": "git_commit",
    "device": "device_name",
    "protocol": "protocol_id",
    "run": "run_id",
    "generation": "keras_generation",
}
