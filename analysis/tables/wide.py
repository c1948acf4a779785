"""Wide tables (every figure of a run beside the others) and the summary over tasks."""

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis import titles
from analysis.compare.conditions import Condition
from analysis.compare.flops import training_flops_per_sample
from analysis.compare.layout import Board
from analysis.compare.marks import MISSING
from analysis.compare.measures import MEAN_EPOCH, STEADY, WIDE, WIDE_PUBLISHED, Measure, quality
from analysis.compare.ratios import geometric_means, to_best
from analysis.compare.samples import Runs, Sample
from analysis.numbers import ratio_text, significant
from analysis.tables import heads
from analysis.tables.cells import cell, winners
from analysis.tables.model import Cell, Column, Row, Table, footnotes
from analysis.tables.notes import head_lines


def wide_tables(laid_out: Board) -> list[Table]:
    """One table per device, Keras generation, profile and data: a row for each task and backend."""
    with_shares(laid_out.runs)
    groups = _groups(laid_out)
    labels = heads.labelled([members[0] for members in groups])
    return [_wide(laid_out, members, label) for members, label in zip(groups, labels, strict=True)]


def _groups(laid_out: Board) -> list[list[Condition]]:
    found: dict[tuple[str, ...], list[Condition]] = {}
    for place in laid_out.places.values():
        found.setdefault(place.group, []).append(place)
    return list(found.values())


def with_shares(runs: Runs) -> None:
    """Add the column gemm_share: arithmetic per second / the machine's matrix product, 0..1."""
    frame = runs.frame
    if "gemm_share" in frame:
        return
    flops = frame["hyper"].map(
        {text: training_flops_per_sample(text) for text in frame["hyper"].dropna().unique()}
    )
    rate = flops.astype("float64") * frame["steady_samples_per_second"]
    runs.frame = frame.assign(gemm_share=rate / (frame["ceiling_gemm_gflops"] * 1e9))


def _wide(laid_out: Board, members: Sequence[Condition], label: Column) -> Table:
    members = sorted(
        members,
        key=lambda place: titles.ordered(
            [one.key.split("|")[0] for one in members], titles.TASKS
        ).index(place.task),
    )
    measures = WIDE_PUBLISHED if members[0].published else WIDE
    rows, cells = [], []
    names = _block_names(members)
    for place, name in zip(members, names, strict=True):
        backends = laid_out.backends([place])
        samples = [laid_out.samples[place.key, backend] for backend in backends]
        columns = [_measured(samples, measure) for measure in (*measures, *_qualities(samples))]
        rows += [
            Row(f"{place.key}|{backend}", f"{name} · {titles.backend_title(backend)}", name)
            for backend in backends
        ]
        cells += [list(line) for line in zip(*columns, strict=True)]
    heads = [Column(measure.key, measure.label, measure.unit) for measure in measures]
    heads += [Column("last_quality", "Last quality"), Column("best_quality", "Best quality")]
    kept = [
        number
        for number in range(len(heads))
        if not number or any(not line[number].absent for line in cells)
    ]
    heads, cells = (
        [heads[number] for number in kept],
        [_once([line[number] for number in kept]) for line in cells],
    )
    generation = (
        f"Keras {members[0].generation}, " if members[0].generation not in ("", label.label) else ""
    )
    return Table(
        key="wide." + ".".join(filter(None, members[0].group)).replace(" ", "_"),
        section=label.label,
        heading="All figures",
        label=f"{generation}{members[0].profile or 'no profile'}: medians over runs",
        unit="",
        corner="Task · backend",
        columns=heads,
        rows=rows,
        cells=cells,
        measure="wide",
        head=_head(members, heads, cells),
        notes=footnotes(
            rows,
            [Column("", "")],
            [[next((one for one in line if one.notes), Cell())] for line in cells],
        ),
    )


def _once(line: Sequence[Cell]) -> list[Cell]:
    """Why a row holds no figure is told in its first cell."""
    if any(not one.absent for one in line):
        return list(line)
    return [line[0], *(replace(one, absent=MISSING, notes=()) for one in line[1:])]


def _block_names(members: Sequence[Condition]) -> list[str]:
    """A task's title, with its work or protocol where the same task stands twice in a table."""
    found = [titles.task_title(place.task) for place in members]
    return [
        name if found.count(name) == 1 else f"{name} ({place.work or place.protocol[:6]})"
        for name, place in zip(found, members, strict=True)
    ]


def _head(
    members: Sequence[Condition], heads: Sequence[Column], cells: Sequence[Sequence[Cell]]
) -> list[str]:
    spread = [replace(column, key=members[0].key) for column in heads]
    lines = head_lines([members[0]] * len(spread), spread, cells)
    return [line for line in lines if not line.startswith("In brackets")]


def _qualities(samples: Sequence[Sample]) -> list[Measure]:
    metric = next(
        filter(None, (sample.text("quality_metric") for sample in samples)), "val_accuracy"
    )
    return [quality(metric), quality(metric, best=True)]


def _measured(samples: Sequence[Sample], measure: Measure) -> list[Cell]:
    found = [cell(sample, measure, interval=measure is STEADY) for sample in samples]
    if samples[0].text("source") == "published":
        return found
    return [
        replace(one, bold=bold)
        for one, bold in zip(found, winners(list(samples), measure), strict=True)
    ]


def summary_tables(laid_out: Board) -> list[Table]:
    """Geometric mean of each backend's ratio to the best over the tasks that all backends of a
    group have.
    """
    tables = []
    groups = [
        members for members in _groups(laid_out) if len({place.task for place in members}) > 1
    ]
    labels = heads.labelled([members[0] for members in groups])
    for members, label in zip(groups, labels, strict=True):
        means, cases = geometric_means(_task_ratios(laid_out, members))
        if len(means) < 2 or len(cases) < 2:
            continue
        order = sorted(means, key=lambda backend: (means[backend], backend))
        rows = [Row(backend, titles.backend_title(backend)) for backend in order]
        cells = [
            [
                Cell(
                    value=means[backend],
                    text=significant(means[backend], 3),
                    ratio=means[backend],
                    ratio_text=ratio_text(means[backend] / means[order[0]], 2)
                    if backend != order[0]
                    else "",
                    runs=len(cases),
                )
            ]
            for backend in order
        ]
        tables.append(
            Table(
                key="summary." + ".".join(filter(None, members[0].group)).replace(" ", "_"),
                section="Over tasks",
                heading=label.label,
                measure="summary",
                unit="",
                label=f"Geometric mean of the ratio to each task's fastest, over the {len(cases)} "
                f"tasks that all {len(order)} backends finished: {', '.join(cases)}",
                corner="Backend",
                columns=[Column("mean", "Mean ratio")],
                rows=rows,
                cells=cells,
                head=_synthetic(members),
            )
        )
    return tables


def _synthetic(members: Sequence[Condition]) -> list[str]:
    return (
        ["SYNTHETIC data: timings are valid for these shapes."]
        if members[0].data == "synthetic"
        else []
    )


def _task_ratios(laid_out: Board, members: Sequence[Condition]) -> dict[str, dict[str, float]]:
    """task -> backend -> ratio to the fastest; tasks with several protocols are left out."""
    tasks = [place.task for place in members]
    backends = laid_out.backends(members)
    found: dict[str, dict[str, float]] = {}
    for place, task in zip(members, tasks, strict=True):
        if tasks.count(task) > 1:
            continue
        found[task] = {}
        measure = MEAN_EPOCH if place.published else STEADY
        samples = [laid_out.samples.get((place.key, backend)) for backend in backends]
        divided = to_best(samples, measure)
        for i, (backend, sample) in enumerate(zip(backends, samples, strict=True)):
            valid = sample is not None and sample.valid
            found[task][backend] = divided.values[i] if valid else math.nan
    return found
