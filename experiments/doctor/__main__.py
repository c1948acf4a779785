"""The doctor's command line: the whole report, or the environments and the data alone."""

import sys
from collections.abc import Callable

from experiments.bootstrap import require_project_environment

HELP = """usage: python -m experiments.doctor [env list|build|check|clean] [data list|fetch|clean] [key=value …]

Without arguments: what is there, what is missing, and the command that mends it. The exit status is 1 where
something is missing that a default run needs.

  env list|build|check|clean   the backends' environments; keys as in python -m experiments.environments --help
  data list                    what is downloaded and prepared
  data fetch                   download the publishers' files: dataset=NAME, or all
  data clean                   remove them: kind=all|downloads|prepared, name=BEGINNING-OF-A-NAME
"""


def main(arguments: list[str]) -> int:
    """Run one command; 0, 1 where something is missing or failed, 2 for a line that is not understood."""
    from experiments.command import guarded

    if {"-h", "--help", "help"} & set(arguments):
        print(HELP, end="")
        return 0
    return guarded(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    from experiments.errors import ConfigError

    if not arguments:
        return report()
    subject, *words = arguments
    if subject == "env":
        from experiments.environments.__main__ import main as environments

        return environments(words or ["list"])
    if subject == "data":
        command, *settings = words or ["list"]
        if command not in _DATA:
            raise ConfigError(f"data has no command {command!r}; choose one of: {', '.join(_DATA)}")
        return _DATA[command](settings)
    raise ConfigError(f"no subject {subject!r}; choose one of: env, data, or nothing for the whole report")


def report() -> int:
    """Print everything; 1 where a default run lacks something."""
    from experiments.doctor.render import show
    from experiments.doctor.survey import survey

    return show(survey())


def _settings(words: list[str], **known: str) -> dict[str, str]:
    """key=value words over their defaults; ConfigError for any other."""
    from experiments.errors import ConfigError

    found = dict(known)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            raise ConfigError(f"{word!r} is not understood; the keys are: {', '.join(known) or 'none'}, as key=value")
        found[key] = value
    return found


def _list(words: list[str]) -> int:
    from experiments.datasets import list_entries
    from experiments.doctor.project import data
    from experiments.doctor.render import entries, sections

    _settings(words)
    sections([data()])
    entries(list_entries())
    return 0


def _fetch(words: list[str]) -> int:
    from experiments.datasets import official_files
    from experiments.doctor.project import datasets
    from experiments.errors import ConfigError, UserError

    known = datasets()
    wanted = _settings(words, dataset="all")["dataset"]
    if wanted not in ("all", *known):
        raise ConfigError(f"dataset={wanted} is not known; choose one of: {', '.join(known)}, all")
    status = 0
    for name, dataset in known.items():
        if wanted not in ("all", name):
            continue
        try:
            for path in official_files(dataset, print).values():
                print(f"{name}: {path}")
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


def _clean(words: list[str]) -> int:
    from experiments.datasets import clean
    from experiments.doctor.findings import size

    settings = _settings(words, kind="all", name="")
    print(f"{size(clean(settings['kind'], settings['name']))} freed")
    return 0


_DATA: dict[str, Callable[[list[str]], int]] = {"list": _list, "fetch": _fetch, "clean": _clean}

if __name__ == "__main__":
    require_project_environment()
    sys.exit(main(sys.argv[1:]))
