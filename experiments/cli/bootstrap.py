"""One line if the project's own environment is missing, instead of an ImportError's traceback."""

import importlib.util
import signal
import sys

NEEDED = (
    "click",
    "hydra",
    "omegaconf",
    "mlflow",
    "pandas",
    "rich",
    "psutil",
    "platformdirs",
    "filelock",
)


def require_project_environment() -> None:
    """End with status 2 and the next step if this interpreter lacks the project's packages.

    Until work begins (cli.frame.guarded), Ctrl-C ends the process at once: there is nothing to
    clean up yet, and a traceback of half-imported modules helps nobody.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if sys.version_info < (3, 11) or missing:
        wanted = f"lacks {', '.join(missing)}" if missing else "is older than Python 3.11"
        print(
            f"error: {sys.executable} {wanted}; run `make setup`, then `source .venv/bin/activate`",
            file=sys.stderr,
        )
        sys.exit(2)
