"""From the MLflow store to tables, findings and reports."""
