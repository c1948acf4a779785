"""Checks of single layers: their output, and the gradients of their weights and inputs."""

from typing import Any, Container, List

import numpy as np

from experiments.worker.selfcheck import differences
from experiments.worker.selfcheck.cases import (
    DROPOUT,
    DROPOUT_RATE,
    dropout,
    feedforward,
    recurrent,
)
from experiments.worker.selfcheck.faults import Fault
from experiments.worker.selfcheck.panel import Panel
from experiments.worker.selfcheck.report import Report

# float32 rounds at 6e-8. Sums of up to 30 terms, exp and tanh in an engine's own approximation
# (some units in the last place) and seven steps of recurrence stay below a few 1e-6; a gradient is
# read off as the difference of two rounded weights besides. The known faults are of 2e-2
# (overtaking updates) and 1.3 (the LSTM that returns its cell state).
FORWARD_LIMIT = 2e-5
GRADIENT_LIMIT = 1e-4
REPETITIONS = 10  # of each training step: an overtaking update does not show every time
DROPOUT_SHARE_LIMIT = 0.1  # seven standard deviations of the share kept, of 1,280 elements


def check(engine: Any, fault: Fault, report: Report, wanted: Container[str]) -> None:
    """Check the wanted layers: a panel of feed-forward ones, then a panel of recurrent ones."""
    for cases in (feedforward() + [dropout()], recurrent(engine.generation)):
        chosen = [case for case in cases if case.name in wanted]
        if chosen:
            _check_panel(Panel(engine, chosen, fault), report)


def _check_panel(panel: Panel, report: Report) -> None:
    outputs = panel.forward()
    for branch in panel.branches:
        name = branch.case.name
        report.check(
            name + (".inference" if name == DROPOUT else ".forward"),
            differences.relative_error(outputs[name], branch.case.forward()),
            FORWARD_LIMIT,
            name,
        )
    measured = [panel.gradients() for _ in range(REPETITIONS)]
    for branch in panel.branches:
        name = branch.case.name
        if name == DROPOUT:
            _check_dropout(panel, [gradients[name][0] for gradients in measured], report)
            continue
        expected = panel.expected_gradients(branch)
        errors = [differences.worst_error(gradients[name], expected) for gradients in measured]
        report.check(name + ".gradient", float(np.max(errors)), GRADIENT_LIMIT, name)


def _check_dropout(panel: Panel, measured: List[np.ndarray], report: Report) -> None:
    """In training an element is dropped, with gradient 0, or kept and divided by the share kept."""
    branch = panel.branches[-1]
    kept = 1.0 / (1.0 - DROPOUT_RATE)
    expected = kept * panel.upstream(branch, kept * branch.case.forward())
    gradients = np.array(measured)
    errors = np.minimum(np.abs(gradients), np.abs(gradients - expected))
    error = float(np.max(errors) / np.abs(expected).max())  # np.max keeps NaN, which fails
    report.check("dropout.gradient", error, GRADIENT_LIMIT, DROPOUT)
    share = float(np.mean(gradients == 0.0))
    report.check("dropout.share_dropped", abs(share - DROPOUT_RATE), DROPOUT_SHARE_LIMIT, DROPOUT)
