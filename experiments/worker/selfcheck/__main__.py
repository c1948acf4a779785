"""Checks the engine that a job names, in this interpreter (see the package)."""

import argparse
import json
import sys
import traceback
from typing import List, Optional

from experiments.worker import engines
from experiments.worker.selfcheck import layers, needs, networks, optimizers
from experiments.worker.selfcheck.faults import Fault
from experiments.worker.selfcheck.report import Report

SOUND, UNSOUND, CRASHED = 0, 1, 2


def main(arguments: Optional[List[str]] = None) -> int:
    """Check the engine of JOB and write OUT; returns the exit status.

    JOB has keras_backend, keras_generation, threads, device, settings and seed, as a worker's job,
    and in `cases` the names of what to check (see needs.py; all if absent). OUT has sound, checks
    (name, case, value, limit, passed, seconds; the first that failed is nearest to the fault),
    versions, seconds, and if it crashed error, in one line. 0: sound, 1: unsound, 2: crashed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m experiments.worker.selfcheck", description=__doc__
    )
    parser.add_argument("job", metavar="JOB.json")
    parser.add_argument("out", metavar="OUT.json")
    parser.add_argument(
        "--fault",
        metavar="FAULT",
        help="inject a fault, to prove that the check finds it; see faults.py",
    )
    options = parser.parse_args(arguments)
    report = Report()
    try:
        with open(options.job) as stream:
            job = json.load(stream)
        check(job, options.fault, report)
    except Exception as error:
        traceback.print_exc()
        line = " ".join(("%s: %s" % (type(error).__name__, error)).split())
        report.write(options.out, sound=False, error=line)
        return CRASHED
    report.write(options.out)
    return SOUND if report.sound else UNSOUND


def check(job: engines.Job, fault_name: Optional[str], report: Report) -> None:
    """Load the job's engine and run its cases into `report`, with a fault if one is named."""
    fault = Fault(fault_name)
    if fault_name:
        report.facts["fault"] = fault_name
    generation = job["keras_generation"]
    wanted = job.get("cases", needs.everything(generation))
    unknown = sorted(set(wanted).difference(needs.catalogue(generation)))
    if unknown:
        raise ValueError("no case is named %s" % ", ".join(unknown))
    engine = engines.load(job)
    report.facts["versions"] = engine.versions
    for part in (layers, networks, optimizers):
        part.check(engine, fault, report, wanted)
    if fault_name and not fault.injected:
        raise ValueError("the fault %r was not injected: nothing has that name" % (fault_name,))


if __name__ == "__main__":
    sys.exit(main())
