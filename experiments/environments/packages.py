"""What is installed in an environment, as requirement lines: an artifact of every run."""

import json
import subprocess

from experiments.environments.install import clean_environment
from experiments.environments.installed import Environment
from experiments.errors import NotInstalled
from experiments.process import output_of

_SECONDS = 120
# Reads the metadata files themselves: Python 3.6 has no importlib.metadata, and some environments no pip.
_LIST = r"""
import glob, io, json, os, sys
found = {}
for folder in reversed([p for p in sys.path if os.path.isdir(p)]):
    for meta in glob.glob(os.path.join(folder, "*.dist-info", "METADATA")) + \
            glob.glob(os.path.join(folder, "*.egg-info", "PKG-INFO")):
        head = {}
        with io.open(meta, encoding="utf-8", errors="replace") as text:
            for line in text:
                if not line.strip():
                    break
                key, _, value = line.partition(":")
                head.setdefault(key.strip().lower(), value.strip())
        if "name" in head and "version" in head:
            found[head["name"].lower()] = head["name"] + "==" + head["version"]
print(json.dumps({"python": sys.version.replace("\n", " "), "packages": sorted(found.values(), key=str.lower)}))
"""


def freeze(env: Environment) -> str:
    """All packages of an environment, one ``name==version`` a line, after comment lines on its origin.

    Raises NotInstalled where its interpreter does not run.
    """
    command = [str(env.python), "-c", _LIST]
    try:
        facts = json.loads(output_of(command, clean_environment(), _SECONDS, env.folder))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotInstalled(f"{env.python} does not list its packages: {type(error).__name__}") from None
    head = [f"# environment {env.name} {env.key} ({env.kind}, {env.manager})", f"# Python {facts['python']}"]
    return "\n".join([*head, *facts["packages"]]) + "\n"
