"""Checks the engine that a job names, in this interpreter (see the package)."""

import argparse
import json
import sys
import traceback
from typing import List, Optional

from experiments.worker import engines
from experiments.worker.selfcheck import layers, networks, optimizers
from experiments.worker.selfcheck.faults import Plant
from experiments.worker.selfcheck.report import Report

SOUND, UNSOUND, CRASHED = 0, 1, 2


def main(arguments: Optional[List[str]] = None) -> int:
    """Check the engine of JOB and write OUT; returns the exit status.

    JOB has keras_backend, keras_generation, threads, device, settings and seed, as a worker's job. OUT has
    sound, checks (name, value, limit, passed, seconds; the first that failed is nearest to the fault),
    versions, seconds, and where it crashed error, in one line. 0: sound, 1: unsound, 2: crashed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m experiments.worker.selfcheck", description=__doc__
    )
    parser.add_argument("job", metavar="JOB.json")
    parser.add_argument("out", metavar="OUT.json")
    parser.add_argument(
        "--plant",
        metavar="FAULT",
        help="plant a fault, to prove that the check finds it "
        "(also the key `plant` of the job); see plants.py",
    )
    options = parser.parse_args(arguments)
    report = Report()
    try:
        with open(options.job) as stream:
            job = json.load(stream)
        check(job, options.plant or job.get("plant"), report)
    except Exception as error:
        traceback.print_exc()
        line = " ".join(("%s: %s" % (type(error).__name__, error)).split())
        report.write(options.out, sound=False, error=line)
        return CRASHED
    report.write(options.out)
    return SOUND if report.sound else UNSOUND


def check(job: engines.Job, fault: Optional[str], report: Report) -> None:
    """Load the job's engine and run all checks into `report`; `fault` names what to plant, if anything."""
    plant = Plant(fault)
    if fault:
        report.facts["plant"] = fault
    engine = engines.load(job)
    report.facts["versions"] = engine.versions
    for part in (layers, networks, optimizers):
        part.check(engine, plant, report)
    if fault and not plant.planted:
        raise ValueError("the fault %r found no place to be planted in" % (fault,))


if __name__ == "__main__":
    sys.exit(main())
