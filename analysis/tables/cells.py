"""A sample as a table's cell."""

from collections.abc import Sequence

from analysis.compare import statistics
from analysis.compare.marks import MISSING
from analysis.compare.measures import Measure
from analysis.compare.ratios import to_best
from analysis.compare.samples import Sample, compared_to
from analysis.tables.model import Cell


def cell(
    sample: Sample | None, measure: Measure, *, interval: bool = True, otherwise: str = MISSING
) -> Cell:
    """One cell without bold and ratio, which depend on its neighbours."""
    if sample is None:
        return Cell(absent=otherwise)
    values = sample.values(measure)
    speed = not measure.quality
    if not len(values):
        return Cell(
            absent=sample.absent(measure),
            notes=sample.notes(speed) if len(sample.index) > 1 else (),
        )
    lacking = len(sample.counted) - len(values)
    notes = (f"{lacking} of {len(sample.counted)} without this figure",) if lacking else ()
    centre = statistics.median(values)
    bounds = statistics.median_interval(values, epochs=sample.epochs(measure)) if interval else None
    return Cell(
        value=centre,
        text=measure.text(centre),
        low=bounds.low if bounds else None,
        high=bounds.high if bounds else None,
        coverage=bounds.coverage if bounds else None,
        interval_text=f"[{measure.text(bounds.low)}, {measure.text(bounds.high)}]"
        if bounds
        else "",
        runs=len(values),
        marks=sample.marks(speed),
        notes=(*notes, *sample.notes(speed)),
        run_ids=sample.ids(),
    )


def winners(samples: Sequence[Sample | None], measure: Measure) -> list[bool]:
    """Which cells are bold: the best one and all that are tied with it.

    Below three runs no tie can be tested: times within 3 % of the best count as equal, accuracies
    and losses win nothing at all. Accuracies have no 3 % that guards against picking the luckiest
    of several equals, so their confidence is raised for the number of comparisons (Bonferroni; Dunn
    1961, JASA 56).
    """
    bold = [False] * len(samples)
    candidates = [
        sample if sample is not None and sample.valid and _may_win(sample, measure) else None
        for sample in samples
    ]
    best = to_best(candidates, measure).best
    if best is None:
        return bold
    winner = candidates[best]
    assert winner is not None
    rivals = sum(sample is not None for sample in candidates) - 1
    for place, sample in enumerate(candidates):
        if sample is not None and len(sample.values(measure)):
            bold[place] = place == best or _tied(sample, winner, measure, rivals)
    return bold


def _may_win(sample: Sample, measure: Measure) -> bool:
    if not measure.quality:
        return True
    return (
        sample.text("data_source") != "synthetic"
        and len(sample.values(measure)) >= statistics.MIN_FOR_INTERVAL
    )


def _tied(sample: Sample, winner: Sample, measure: Measure, rivals: int) -> bool:
    if measure.quality:
        confidence = 1 - (1 - statistics.CONFIDENCE) / max(1, rivals)
        return (
            statistics.compare_quality(sample.values(measure), winner.values(measure), confidence)
            == statistics.TIE
        )
    compared = compared_to(sample, winner, measure)
    if compared.verdict == statistics.UNKNOWN:
        ratio = compared.ratio
        return ratio > 0 and max(ratio, 1 / ratio) < 1 + statistics.TIE_SHARE
    return compared.verdict == statistics.TIE
