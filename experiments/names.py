"""The names that runs are stored under in MLflow: states, tags, parameters and metrics.

Standard library only. `experiments.tracking` writes them and `analysis` reads them; nobody else
spells one out.
"""

SCHEMA_VERSION = 1
EXPERIMENT = "keras-backend-benchmark"

# End states of a run. MLflow's own status is coarser: FINISHED, FAILED or KILLED.
FINISHED = "finished"
DIVERGED = "diverged"
FAILED = "failed"
TIMEOUT = "timeout"
KILLED = "killed"
DEVICE_MISMATCH = "device_mismatch"
NOT_INSTALLED = "not_installed"
ENGINE_UNSOUND = "engine_unsound"
STATES = (
    FINISHED,
    DIVERGED,
    FAILED,
    TIMEOUT,
    KILLED,
    DEVICE_MISMATCH,
    NOT_INSTALLED,
    ENGINE_UNSOUND,
)
# A diverged run did train to its planned end: it counts as done, but wins nothing.
COMPLETE_STATES = (FINISHED, DIVERGED)
MLFLOW_STATUS = {FINISHED: "FINISHED", DIVERGED: "FINISHED", KILLED: "KILLED"}  # all others: FAILED

# Tags (prefix keeps them apart from MLflow's own and from other projects').
TAG_SCHEMA = "kbb.schema"  # str(SCHEMA_VERSION): marks a run of this project
TAG_STATE = "state"
TAG_REASON = "reason"  # one line, for states other than finished
TAG_PROTOCOL = "protocol_id"  # 12 hex digits; only equal ids are compared
TAG_WORK = "work_id"  # 12 hex digits; equal work in an equal place may be divided
TAG_STACK = "stack"  # JSON: backend, Keras generation, recurrent path, settings
TAG_PLACE = "place"  # JSON: device, threads, affinity, host
TAG_JOURNAL = "journal_id"  # the run's identity in its journal; unique in a store
TAG_SOURCE = "source"  # "measured" | "published"
TAG_KIND = "kind"  # "run" | "sweep" (a sweep's summary run)
TAG_SWEEP = "sweep_id"
TAG_BLOCK = "block"
TAG_REPETITION = "repetition"
TAG_DATA_SOURCE = "data_source"  # "official" | "local" | "synthetic"
TAG_DATA_DIGEST = "data_digest"
TAG_DATA_WARNING = "data_warning"  # why synthetic data stands in, or a remark on local data
TAG_DEVICE_KIND = "device_kind"  # "cpu" | "gpu"
TAG_DEVICE_NAME = "device_name"  # CPU model or GPU name; the column of a table
TAG_GENERATION = "keras_generation"  # "2" | "3"
TAG_QUALITY_METRIC = "quality_metric"  # "val_accuracy" | "val_loss" | "loss"
TAG_FLAGS = "flags"  # comma-separated FLAG_* words; empty or absent: none
TAG_COMMIT = "git_commit"
TAG_DIRTY = "git_dirty"
TAG_HOST = "host"
TAG_PUBLISHED_SOURCE = "published_source"  # e.g. szilard-2017-06
TAG_RESOLUTION = "resolution_seconds"  # the step a published time is rounded to
TAG_NOTES = "notes"
# train_seconds of epochs 2..E, space-separated: one query has them all
TAG_STEADY = "steady_train_seconds_each"

FLAG_NOISY = "noisy"  # steady-epoch MAD/median > 5 %
FLAG_OUTLIER = "outlier"  # |modified z| > 14.8 in a steady epoch
FLAG_LOADED = "loaded"  # load of others > cores/4
FLAG_THROTTLED = "throttled"
FLAG_SHARED = "shared"  # measured beside another measured run on one device
FLAG_UNSOUND = "unsound"  # measured although the engine check failed
FLAG_DEVICE_DOUBTFUL = "device_doubtful"

# Parameters. Hyper-parameters are flattened under "hp.", versions under "version.".
PARAM_TASK = "task"
PARAM_BACKEND = "backend"
PARAM_GPU = "gpu"
PARAM_PROFILE = "profile"
PARAM_DATA = "data"
PREFIX_HYPER = "hp."
PREFIX_VERSION = "version."
PREFIX_SETTING = "setting."
PREFIX_HOST = "host."
PARAM_THREADS = "run.threads"
PARAM_SEED = "run.seed"
PARAM_EPOCHS = "run.epochs"
PARAM_BATCH = "run.batch"
PARAM_FRACTION = "run.fraction"
PARAM_TRAIN_SAMPLES = "run.train_samples"
PARAM_VALIDATION_SAMPLES = "run.validation_samples"
PARAM_SHUFFLE = "run.shuffle"
PARAM_TF32 = "run.tf32"
PARAM_PRECISION = "run.precision"
PARAM_AFFINITY = "run.affinity"
PARAM_RNN_PATH = "run.rnn_path"
PARAM_PRICE = "run.price_per_hour"
PARAM_TARGET = "run.target"  # quality target, if the task sets one

# Metrics with step = epoch (1-based). Seconds are wall time of time.perf_counter.
EPOCH_METRICS = (
    "epoch_seconds",  # train + validation, what 2017 measured
    "train_seconds",
    "validation_seconds",
    "samples_per_second",  # training samples / train_seconds
    "loss",
    "accuracy",  # absent if the task has no accuracy (text_gen keeps it too)
    "val_loss",
    "val_accuracy",
)

# Flat summary metrics, logged once at the end: all that a table needs.
SUMMARY_METRICS = (
    "steady_train_seconds",  # median of train_seconds over epochs 2..E: the headline
    "steady_epoch_seconds",  # median of epoch_seconds over epochs 2..E
    "steady_samples_per_second",  # training samples / steady_train_seconds
    "steady_mad_ratio",  # MAD / median of train_seconds over epochs 2..E
    "steady_epochs",  # how many epochs stand behind the steady figures
    "mean_epoch_seconds",  # over all epochs, first and validation included: the 2017 view
    "first_epoch_seconds",
    "first_train_seconds",
    "import_seconds",  # importing Keras and its engine
    "data_load_seconds",  # mapping and touching the prepared arrays
    "build_seconds",  # building and compiling the model
    # build + max(0, first - steady train seconds): what a user waits for compilation
    "compile_seconds",
    "validation_steady_seconds",  # median validation_seconds over epochs 2..E
    "total_seconds",  # worker start to the end of the planned epochs, all included
    "last_loss",
    "last_accuracy",
    "last_val_loss",
    "best_val_loss",
    "last_val_accuracy",
    "best_val_accuracy",
    "time_to_target_seconds",  # from start of training to the end of the first epoch at the target
    "epochs_done",
    "parameters",  # trainable weights of the model
    "peak_rss_bytes",
    "peak_device_bytes",
    "energy_joules",
    "cost",  # where a meter or a price exists
    "ceiling_gemm_gflops",
    "ceiling_copy_gbytes_per_second",  # the machine's measured ceiling
    "cpu_seconds",  # user + system time of the worker
    "load_before",
    "load_after",
)
