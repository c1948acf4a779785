"""How tasks, backends and columns are called and ordered in what people read."""

from collections.abc import Sequence

from experiments.config import members

# 2017's order first; a member of conf/ that is not named here follows in alphabetical order.
TASKS = ("imdb_bilstm", "imdb_fasttext", "mnist_mlp", "mnist_cnn", "cifar10_cnn", "text_gen")
BACKENDS = ("theano", "tensorflow", "cntk", "tensorflow2", "jax", "torch")


def task_title(task: str) -> str:
    """A task's title, as in "MLP on MNIST"."""
    return members.title("task", task)


def backend_title(backend: str) -> str:
    """A backend's title, as in "TensorFlow 2"."""
    return members.title("backend", backend)


def ordered(names: set[str] | list[str], known: tuple[str, ...]) -> list[str]:
    """Names in the known order, the others after them by name."""
    places = {name: place for place, name in enumerate(known)}
    return sorted(set(names), key=lambda name: (places.get(name, len(places)), name))


def short_device(name: str) -> str:
    """A processor's name without what is in every such name."""
    for noise in ("(R)", "(TM)", "(r)", "(tm)", " Processor", " CPU"):
        name = name.replace(noise, "")
    return " ".join(name.split())


def counted(count: int, noun: str) -> str:
    """ "1 run", "2 runs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"; at least one word."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
