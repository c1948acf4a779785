"""A real Chromium, driven by Selenium; tests are skipped where it is not installed."""

import base64
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.chromium import FLAGS, Browser, found

# Hypothesis' plugin imports it when a session ends, and trio, which Selenium needs, then warns.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import hypothesis  # noqa: F401


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests, which records its console and every request that a page makes."""
    program, driver = found("chromium", "chromium-browser", "google-chrome"), found("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # A driver that is named is never looked for, and never downloaded.
    started = webdriver.Chrome(options=options, service=Service(driver, log_output=os.devnull))
    started.set_page_load_timeout(180)
    started.set_script_timeout(120)  # a busy page on a busy machine
    yield started
    started.quit()


@pytest.fixture
def page(browser: Browser) -> Iterator[Browser]:
    """The browser as a test finds it: nothing logged yet, no theme or size of another test."""
    for kind in ("performance", "browser"):
        browser.get_log(kind)
    yield browser
    browser.get("about:blank")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: KBB_SCREENSHOTS, else a folder among pytest's temporary ones."""
    named = os.environ.get("KBB_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def picture(page: Browser, pictures: Path) -> Callable[[str], Path]:
    """Take a screenshot of the whole page, however long it is."""

    def take(name: str) -> Path:
        shot = page.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
        )
        path = pictures / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    return take


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of a small sweep: runs failed, diverged, still run, are flagged or are synthetic."""
    from experiments import names
    from tests.support import planted_journals as journals

    evil = "<script>document.title = 'broken into'</script>"
    planted = [
        *journals.sweep(["mnist_mlp"], ["theano", "tensorflow", "jax", "torch"], 3),
        *journals.sweep(["imdb_bilstm"], ["jax", "torch"], 1),
        *journals.sweep(
            ["text_gen"], ["jax", "torch"], 1, data_source="synthetic", data_warning="no network"
        ),
        journals.Told(
            backend="cntk",
            state=names.FAILED,
            reason=evil,
            versions={"cntk": evil},
            hyper={"model.x": evil},
        ),
        journals.Told(backend="jax", repetition=4, state=None),
        journals.Told(backend="torch", repetition=4, seconds=2.0, flags=(names.FLAG_NOISY,)),
        journals.Told(
            backend="jax", repetition=5, state=names.DIVERGED, reason="loss is nan after epoch 1"
        ),
    ]
    return journals.store(tmp_path_factory.mktemp("store"), planted)


@pytest.fixture(scope="session")
def report(store: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that store, made by the command a person types."""
    folder = tmp_path_factory.mktemp("report")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "analysis",
            "report",
            "-o",
            str(folder / "report.html"),
            "--ui-url",
            "http://127.0.0.1:5000",
        ],
        cwd=Path(__file__).parents[2],
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
        env={**os.environ, "MLFLOW_TRACKING_URI": store, "KBB_CACHE": str(folder / "cache")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "report.html"
