"""MLflow's own web application on loopback, behind a gate that misbehaves on order.

    python server.py FOLDER PORT     prints its port (0: a free one); FOLDER/mlflow.db is the store,
                                     FOLDER/gate.json the order:

{"mode": "ok" | "status" | "lost" | "slow" | "drop" | "garbage", "match": "part of a path", "after":
N, "times": N}

`after` requests that match pass first, then `times` of them (null: all) meet the fault. "lost"
carries the request out and answers with an error, "drop" closes the connection without a word.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
Respond = Callable[..., Any]


class Gate:
    """Stands before the application; reads its orders anew when the file changes."""

    def __init__(self, application: Any, orders: Path) -> None:
        self.application, self.orders = application, orders
        self.stamp, self.order, self.seen = -1, {"mode": "ok"}, 0

    def __call__(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        self._read()
        order = self.order
        if order["mode"] == "ok" or order.get("match", "") not in environ["PATH_INFO"]:
            return self.application(environ, respond)  # type: ignore[no-any-return]
        self.seen += 1
        number = self.seen - order.get("after", 0)
        if number <= 0 or (order.get("times") is not None and number > order["times"]):
            return self.application(environ, respond)  # type: ignore[no-any-return]
        return self._misbehave(order, environ, respond)

    def _read(self) -> None:
        stamp = self.orders.stat().st_mtime_ns
        if stamp != self.stamp:
            self.stamp, self.order, self.seen = stamp, json.loads(self.orders.read_text()), 0

    def _misbehave(
        self, order: dict[str, Any], environ: dict[str, Any], respond: Respond
    ) -> Iterable[bytes]:
        mode = order["mode"]
        if mode == "slow":
            time.sleep(order["seconds"])
            return self.application(environ, respond)  # type: ignore[no-any-return]
        if mode == "drop":
            raise ConnectionAbortedError("dropped on order")
        if mode == "lost":
            list(self.application(environ, lambda *_: None))
        status = "200 OK" if mode == "garbage" else f"{order.get('status', 500)} Trouble"
        respond(status, [("Content-Type", "text/html")])
        return [b"<html><body>Trouble with the proxy</body></html>"]


def main(folder: Path, port: int) -> None:
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = str(folder / "artifacts")
    os.chdir(folder)
    from mlflow.server import app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any, **__: Any) -> None:
            """Nothing: what is dropped on order is no news."""

    server = make_server(
        "127.0.0.1", port, Gate(app, folder / "gate.json"), threaded=True, request_handler=Quiet
    )
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
