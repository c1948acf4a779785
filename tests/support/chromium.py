"""What browser tests share: how Chromium is started, and what it tells of a page."""

import json
import shutil
from typing import Any

Browser = Any  # selenium.webdriver.Chrome
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1500,1000",
)


def found(*names: str) -> str | None:
    """The first of these programs that is on PATH."""
    return next(filter(None, map(shutil.which, names)), None)


def requests(browser: Browser) -> list[str]:
    """Addresses that pages asked for since the last call, data: addresses left out."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [
        message["params"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    return [
        params["request"]["url"]
        for params in sent
        if not params["request"]["url"].startswith("data:")
    ]


def console(browser: Browser) -> list[str]:
    """What pages wrote to the console since the last call."""
    return [entry["message"] for entry in browser.get_log("browser")]


def theme(browser: Browser, name: str) -> None:
    """The system's theme, as the page is told of it."""
    feature = {"name": "prefers-color-scheme", "value": name}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [feature]})


def size(browser: Browser, width: int, height: int) -> None:
    """The window's size; below 600 px, as a telephone."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
