"""Cells of the tables that tests look at."""

from analysis.tables.model import Cell, Table


def column(table: Table, label: str = "") -> dict[str, Cell]:
    """A column's cells by row; the only one, or that whose label contains `label`."""
    (number,) = [place for place, head in enumerate(table.columns) if label in head.label]
    return {row.key: cells[number] for row, cells in zip(table.rows, table.cells, strict=True)}
