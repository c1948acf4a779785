"""Sweeps: a grid of cells, measured in blocks, one worker per device at a time, resumable.

command → plugins/ (Hydra's sweeper) → conductor: grid → survey → ledger (what is finished) → run or
launch → summary. Every run is `experiments.runs.run.run`, here or in a job of a launcher.
"""
