"""What every engine offers, and what Keras 2 and 3 spell alike."""

import os
import platform
import random
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from experiments.worker.engines.device import Device, Spec

Arrays = Tuple[Any, Any]


class Timer(object):
    """`Engine.fit` reports its epochs to this; all methods are called in the main thread."""

    validation: Arrays

    def epoch_begins(self, epoch: int) -> None:
        """Before the first batch of `epoch` (from 0)."""

    def training_ended(self) -> None:
        """After the last batch, before validation."""

    def validation_ended(self) -> None:
        """After the last validation batch."""

    def epoch_ended(self, epoch: int, logs: Spec) -> bool:
        """With Keras' figures (loss, accuracy or acc, val_…). Returning False ends the training."""
        raise NotImplementedError


class Engine(Device):
    """One Keras on one backend; subclassed by keras2.py, keras3.py and a module per backend."""

    generation = 0

    def __init__(self, job: Spec) -> None:
        self.job = job
        self.keras: Any = None
        self.layers: Any = None
        self.Sequential: Any = None
        self.versions: Dict[str, str] = {}
        self.import_seconds = 0.0
        self.threads = int(job.get("threads") or 1)
        self.seed_value = int(job["seed"]) % (2**31 - 1)
        self.settings: Spec = dict(job.get("settings") or {})
        self.wanted: Spec = dict(job.get("device") or {"kind": "cpu"})
        self.on_gpu = self.wanted.get("kind") == "gpu"
        self.tf32 = bool(self.wanted.get("tf32"))
        self.memory_growth = bool(self.wanted.get("memory_growth", True))
        self._layer_seeds = np.random.RandomState(self.seed_value)

    # ---- start: environment, import, configuration, seeds ----------------------------------------

    def start(self) -> None:
        """Import and configure in the one order that works for all engines."""
        if not self.on_gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self.seed_libraries()
        self.import_engine()
        self.import_keras()
        self.configure()
        self.seed_engine()
        self.versions = self._versions()

    def import_engine(self) -> None:
        """Import the engine itself and set what must be set before Keras is imported."""
        raise NotImplementedError

    def import_keras(self) -> None:
        """Import Keras; raises ValueError for another generation or another backend."""
        import keras

        major = int(keras.__version__.split(".")[0])
        if major != self.generation:
            raise ValueError(
                "Keras %s is installed, Keras %d is needed" % (keras.__version__, self.generation)
            )
        if keras.backend.backend() != self.backend:
            raise ValueError(
                "Keras runs on %s, not on %s" % (keras.backend.backend(), self.backend)
            )
        self.keras = keras
        self.layers = keras.layers
        self.Sequential = keras.models.Sequential

    def configure(self) -> None:
        """Set what Keras would take from its own configuration file or its defaults."""
        self.keras.backend.set_floatx("float32")
        self.keras.backend.set_epsilon(1e-7)
        self.keras.backend.set_image_data_format("channels_last")

    def seed_libraries(self) -> None:
        """Seed Python and NumPy, which Keras' initializers and shuffling draw from."""
        random.seed(self.seed_value)
        np.random.seed(self.seed_value)

    def seed_engine(self) -> None:
        """Seed the engine's own generators."""

    def next_seed(self) -> int:
        """A seed for one layer; the sequence depends on the job's seed only."""
        return int(self._layer_seeds.randint(1, 2**31 - 1))

    def _versions(self) -> Dict[str, str]:
        found = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "keras": str(self.keras.__version__),
        }
        for name in self.distributions:
            found[name] = str(getattr(__import__(name), "__version__", "unknown"))
        return found

    # ---- layers ----------------------------------------------------------------------------------

    def sequential(
        self, input_shape: Sequence[int], layers: List[Any], dtype: str = "float32"
    ) -> Any:
        """A built Sequential model. `input_shape`: one sample's; `dtype`: of the arrays fed."""
        raise NotImplementedError

    def initializer(self, spec: Any) -> Any:
        """An initializer from a Keras name or from {name: random_uniform, minimum, maximum}."""
        if isinstance(spec, str):
            return spec
        if spec["name"] == "random_uniform":
            return self.keras.initializers.RandomUniform(
                minval=spec["minimum"], maxval=spec["maximum"]
            )
        raise ValueError(
            "unknown initializer %r; known: a Keras name, random_uniform" % (spec["name"],)
        )

    def dense(self, units: int, activation: str, kernel_initializer: Any) -> Any:
        """Dense with bias (zeros at first)."""
        return self.layers.Dense(
            units,
            activation=activation,
            use_bias=True,
            bias_initializer="zeros",
            kernel_initializer=self.initializer(kernel_initializer),
        )

    def conv2d(
        self, filters: int, kernel: int, padding: str, activation: str, kernel_initializer: Any
    ) -> Any:
        """Square 2-D convolution of stride 1 on channels-last images; `padding`: valid or same."""
        return self.layers.Conv2D(
            filters,
            (kernel, kernel),
            strides=(1, 1),
            padding=padding,
            data_format="channels_last",
            dilation_rate=(1, 1),
            activation=activation,
            use_bias=True,
            bias_initializer="zeros",
            kernel_initializer=self.initializer(kernel_initializer),
        )

    def max_pool(self, size: int) -> Any:
        """Max pooling over size × size windows that do not overlap."""
        return self.layers.MaxPooling2D(
            pool_size=(size, size),
            strides=(size, size),
            padding="valid",
            data_format="channels_last",
        )

    def flatten(self) -> Any:
        """All axes but the first in one."""
        return self.layers.Flatten()

    def mean_over_time(self) -> Any:
        """The mean over the second axis."""
        return self.layers.GlobalAveragePooling1D()

    def dropout(self, rate: float) -> Any:
        """Dropout with a seed derived from the job's."""
        return self.layers.Dropout(rate, seed=self.next_seed())

    def embedding(self, rows: int, width: int, initializer: Any) -> Any:
        """Embedding without masking; it follows an input of integer word numbers."""
        return self.layers.Embedding(
            rows, width, embeddings_initializer=self.initializer(initializer), mask_zero=False
        )

    def lstm(self, units: int, spec: Spec, **kwargs: Any) -> Any:
        """LSTM as `spec` pins it: activations, initializers, unit_forget_bias, implementation.

        `hard_sigmoid` is Keras 2's clip(0.2 x + 0.5, 0, 1) under both generations. Extra keywords
        go to the layer.
        """
        options: Spec = {
            "activation": spec["activation"],
            "recurrent_activation": self.gate(spec["recurrent_activation"]),
            "kernel_initializer": self.initializer(spec["kernel_initializer"]),
            "recurrent_initializer": self.initializer(spec["recurrent_initializer"]),
            "unit_forget_bias": spec["unit_forget_bias"],
            "use_bias": True,
            "bias_initializer": "zeros",
            "dropout": 0.0,
            "recurrent_dropout": 0.0,
            "unroll": False,
            "return_sequences": False,
            "return_state": False,
            "go_backwards": False,
            "stateful": False,
        }
        options.update(self.lstm_options(spec))
        options.update(kwargs)
        return self.layers.LSTM(units, **options)

    def gate(self, name: str) -> Any:
        """The recurrent activation of that name in Keras 2's definition."""
        raise NotImplementedError

    def lstm_options(self, spec: Spec) -> Spec:
        """LSTM keywords that only this generation knows."""
        raise NotImplementedError

    def bidirectional(self, layer: Any) -> Any:
        """Both directions, concatenated."""
        return self.layers.Bidirectional(layer, merge_mode="concat")

    # ---- training --------------------------------------------------------------------------------

    def optimizer(self, spec: Spec) -> Any:
        """A Keras optimizer from {name, learning_rate, decay, …}, with equal arithmetic everywhere.

        rmsprop: rho, epsilon (added outside the root). adadelta: rho, epsilon (inside). adam:
        beta_1, beta_2, epsilon (outside). sgd: momentum, nesterov (both may be absent). decay: rate
        / (1 + decay · step).
        """
        raise NotImplementedError

    def compile(self, model: Any, optimizer_spec: Spec, loss: str) -> None:
        """Compile `model` with accuracy as its metric."""
        raise NotImplementedError

    def sequence(self, batches: Any) -> Any:
        """`batches` (len(), [index] → (x, y)) as the object that Keras takes batches from."""
        raise NotImplementedError

    def fit(self, model: Any, training: Any, job: Spec, timer: Timer) -> None:
        """Call Keras' fit once for all epochs, silently, and `timer`'s methods as each epoch goes.

        `training`: arrays (x, y), or batches (see `sequence`), which are made in the main thread.
        The job says batch, epochs and shuffle. After each epoch the model is validated on
        `timer.validation`, all of it, in batches of the same size; how, is each generation's own,
        so that it costs what it costs a user.
        """
        raise NotImplementedError

    def parameters(self, model: Any) -> int:
        """The number of trainable weights."""
        return int(sum(np.prod(self.keras.backend.int_shape(w)) for w in model.trainable_weights))

    def barrier(self, model: Any) -> None:
        """Return when the device has finished all that was asked of it."""
        raise NotImplementedError
