"""A store's address, and its errors in one line."""

from pathlib import Path

import pytest

from experiments.tracking.store import address, brief, redacted


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address("sqlite:///x.db") == f"sqlite:///{tmp_path}/x.db"
    assert address("sqlite:////x.db") == "sqlite:////x.db" and address("http://h:1") == "http://h:1"
    assert (
        redacted("postgresql+psycopg2://user:se@cret@host/db")
        == "postgresql+psycopg2://user:***@host/db"
    )
    assert redacted("http://127.0.0.1:5000") == "http://127.0.0.1:5000"
    assert len(brief(ValueError("x" * 500))) <= 160 and brief(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "(sqlite3.OperationalError) database is locked [SQL: INSERT INTO x] (Background on …)",
            "database is locked",
        ),
        (
            "(raised as a result of Query-invoked autoflush; consider …) "
            "(sqlite3.OperationalError) attempt to write a readonly database\n[SQL: INSERT …]",
            "attempt to write a readonly database",
        ),
        ("(psycopg2.OperationalError) connection refused", "connection refused"),
        ("[Errno 30] Read-only file system: '/x'", "[Errno 30] Read-only file system: '/x'"),
    ],
)  # fmt: skip
def test_errors_of_a_database_in_its_own_words(text: str, told: str) -> None:
    assert brief(RuntimeError(text)) == told
