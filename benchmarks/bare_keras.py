"""The MNIST MLP as a plain Keras script, in a backend's own interpreter: `python bare_keras.py
JOB.json`.

Nothing of this project is imported. It takes the hyper-parameters and arrays of a job of the
harness and prints the seconds of each training epoch as JSON. Runs under Keras 2 and 3, Python 3.6
and newer.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential


class Clock(keras.callbacks.Callback):
    """Seconds from an epoch's begin to its end; Keras has fetched the loss by then, so the device
    is done.
    """

    def __init__(self):
        super().__init__()
        self.seconds = []
        self.began = 0.0

    def on_epoch_begin(self, epoch, logs=None):  # noqa: ARG002 - Keras' signature
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        self.seconds.append(time.perf_counter() - self.began)


def main(path):
    job = json.loads(Path(path).read_text())
    spec, rate = job["model"], job["optimizer"]["learning_rate"]
    np.random.seed(job["seed"] % 2**32)
    model = Sequential()
    for number, units in enumerate(spec["hidden"]):
        shape = (
            {"input_shape": (spec["inputs"],)} if number == 0 and keras.__version__ < "3" else {}
        )
        model.add(Dense(units, activation=spec["activation"], **shape))
        model.add(Dropout(spec["dropout"]))
    model.add(Dense(spec["classes"], activation="softmax"))
    name = "lr" if keras.__version__ < "3" else "learning_rate"
    model.compile(
        loss=job["loss"], optimizer=keras.optimizers.RMSprop(**{name: rate}), metrics=["accuracy"]
    )
    x, y = np.load(job["arrays"]["x_train"]), np.load(job["arrays"]["y_train"])
    clock = Clock()
    model.fit(
        x,
        y,
        batch_size=job["batch"],
        epochs=job["epochs"],
        verbose=0,
        shuffle=True,
        callbacks=[clock],
    )
    print(json.dumps(clock.seconds))


main(sys.argv[1])
