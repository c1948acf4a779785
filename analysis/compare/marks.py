"""Signs that stand behind or instead of a figure."""

MISSING = "–"


DIVERGED, DOUBTFUL, UNSOUND, FLAGGED = "†", "?", "‡", "~"


LEGEND = {
    MISSING: "not measured",
    DIVERGED: "diverged: trained, but below the task's floor; wins nothing",
    DOUBTFUL: "it is doubtful that the device named was the one that computed",
    UNSOUND: "the engine fails its check; wins nothing",
    FLAGGED: "runs with a warning (noisy, outlier, loaded, throttled or shared device)",
}
