"""The report in a real browser: no request, tables sort and filter, it fits screens and paper."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.chromium import Browser, console, requests, size, theme

pytestmark = pytest.mark.browser


def column(page: Browser, table: str, number: int) -> list[str]:
    """What is shown in a column, top to bottom, filtered rows left out."""
    script = (
        "return [...document.getElementById(arguments[0]).tBodies[0].rows]"
        ".filter(row => !row.hidden).map(row => row.cells[arguments[1]].innerText.trim())"
    )
    found: list[str] = page.execute_script(script, table, number)
    return found


def head(page: Browser, table: str, title: str) -> int:
    """The number of the column with this title."""
    titles = page.execute_script(
        "return [...document.getElementById(arguments[0]).tHead.rows[0].cells]"
        ".map(c => c.innerText)",
        table,
    )
    return next(place for place, text in enumerate(titles) if text.startswith(title))


def press(page: Browser, table: str, number: int) -> str:
    """Click a column's head; returns its aria-sort."""
    button = page.execute_script(
        "const cell = document.getElementById(arguments[0]).tHead.rows[0].cells[arguments[1]];"
        "const b = cell.querySelector('button');"
        "b.scrollIntoView({block: 'center', inline: 'center'}); return b",
        table,
        number,
    )
    button.click()
    return str(
        page.execute_script("return arguments[0].closest('th').getAttribute('aria-sort')", button)
    )


def test_it_opens_without_a_word_on_the_console_and_asks_for_nothing(
    page: Browser, report: Path
) -> None:
    page.get(report.as_uri())
    assert page.title == "Keras backend benchmark", "a run's text became markup"
    assert console(page) == []
    assert requests(page) == [report.as_uri()]
    for anchor in (
        "summary",
        "findings",
        "tables",
        "plots",
        "published",
        "runs",
        "trust",
        "environments",
        "reproduce",
    ):
        assert page.execute_script("return document.getElementById(arguments[0]) !== null", anchor)
    assert report.stat().st_size < 3_000_000


def test_it_says_what_must_be_known_first(page: Browser, report: Path) -> None:
    page.get(report.as_uri())
    text = page.execute_script("return document.querySelector('header').innerText")
    assert "SYNTHETIC DATA" in text.upper()
    summary = page.execute_script("return document.getElementById('summary').innerText")
    best = page.execute_script(
        "return [...document.querySelectorAll('#summary table:first-of-type td.best')]"
        ".map(cell => cell.innerText)"
    )
    assert "1.40" in best, "Theano on the MLP"
    assert "2.53 (1.8x)" in summary
    assert "Not finished: CNTK 1 failed" in summary
    assert "no difference can be shown" in summary
    findings = page.execute_script("return document.getElementById('findings').innerText")
    assert re.search(r"Theano is 1\.8\d× .* faster than the next best, TensorFlow", findings)
    assert "provisional" in findings


def test_ids_are_unique_and_every_inner_link_leads_somewhere(page: Browser, report: Path) -> None:
    page.get(report.as_uri())
    ids, links, uses = page.execute_script(
        "return [[...document.querySelectorAll('[id]')].map(e => e.id),"
        "[...document.querySelectorAll('a[href^=\"#\"]')]"
        ".map(e => e.getAttribute('href').slice(1)),"
        "[...document.querySelectorAll('use')].map(e => e.getAttribute('href').slice(1))]"
    )
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert uses
    assert set(uses) <= set(ids)


def test_a_table_sorts_by_number_both_ways_with_gaps_last(page: Browser, report: Path) -> None:
    page.get(report.as_uri())
    number = head(page, "table-runs", "Steady training")
    before = column(page, "table-runs", number)
    assert press(page, "table-runs", number) == "ascending"
    rising = column(page, "table-runs", number)
    assert press(page, "table-runs", number) == "descending"
    falling = column(page, "table-runs", number)
    known = [float(text) for text in rising if text != "–"]
    gaps = len(rising) - len(known)
    assert gaps == 2, "the run that failed and the one that goes on"
    assert known == sorted(known) != [float(text) for text in before if text != "–"]
    assert rising[-gaps:] == falling[-gaps:] == ["–"] * gaps
    assert falling[:-gaps] == rising[:-gaps][::-1]


def test_a_table_sorts_by_text(page: Browser, report: Path) -> None:
    page.get(report.as_uri())
    number = head(page, "table-runs", "Backend")
    press(page, "table-runs", number)
    names = column(page, "table-runs", number)
    assert names == sorted(names)
    assert len(set(names)) == 5


def test_rows_are_filtered_by_words_and_by_choice(page: Browser, report: Path) -> None:
    page.get(report.as_uri())
    every = len(column(page, "table-runs", 0))
    tools = page.find_element("css selector", '.tools[data-table="table-runs"]')
    search = tools.find_element("css selector", "input")
    search.send_keys("torch MNIST")
    assert set(column(page, "table-runs", head(page, "table-runs", "Backend"))) == {"torch"}
    assert len(column(page, "table-runs", 0)) == 4
    assert tools.find_element("css selector", "output").text == f"4 of {every} rows"
    search.clear()
    search.send_keys(" ")
    assert len(column(page, "table-runs", 0)) == every
    state = next(
        one
        for one in tools.find_elements("css selector", "select")
        if one.get_attribute("aria-label") == "State"
    )
    state.send_keys("diverged")
    assert column(page, "table-runs", head(page, "table-runs", "State")) == ["diverged"]
    search.send_keys("nothing of the kind")
    assert column(page, "table-runs", 0) == []


def test_links_lead_to_mlflow(page: Browser, report: Path) -> None:
    page.get(report.as_uri())
    links = page.execute_script(
        "return [...document.querySelectorAll('a[href^=\"http\"]')]"
        ".map(e => e.getAttribute('href'))"
    )
    assert links
    assert all(link.startswith("http://127.0.0.1:5000/#/") for link in links)
    assert any("/compare-runs?runs=" in link for link in links)
    assert any(link.endswith("runs?compareRunsMode=CHART") for link in links)


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize(("kind", "width"), [("phone", 360), ("tablet", 820), ("desk", 1400)])
def test_it_fits_the_screen_in_either_theme(
    page: Browser, report: Path, picture: Callable[[str], Path], name: str, kind: str, width: int
) -> None:
    theme(page, name)
    size(page, width, 900)
    page.get(report.as_uri())
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    inner, scroll = page.execute_script(
        "return [document.documentElement.clientWidth, document.body.scrollWidth]"
    )
    assert scroll <= inner, "the page itself must not scroll sideways"
    wide = page.execute_script(
        "return [...document.querySelectorAll('body *')]"
        ".filter(e => !e.closest('.scroll, nav, pre, svg') && "
        "e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    ink, paper = page.execute_script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor].map(c => "
        "c.match(/\\d+/g).slice(0, 3).reduce((sum, n) => sum + Number(n), 0))"
    )
    assert (ink < 200 and paper > 600) if name == "light" else (ink > 600 and paper < 200)
    label = page.execute_script(
        "return getComputedStyle(document.querySelector('figure svg text')).fill"
    )
    assert label == page.execute_script("return getComputedStyle(document.body).color"), (
        "plots follow the theme"
    )
    assert picture(f"report-{kind}-{name}").stat().st_size > 20_000


def test_the_button_changes_the_theme_against_the_systems(page: Browser, report: Path) -> None:
    def paper() -> str:
        return str(page.execute_script("return getComputedStyle(document.body).backgroundColor"))

    theme(page, "light")
    page.get(report.as_uri())
    light = paper()
    button = page.find_element("id", "theme")
    assert button.text == "Dark theme"
    button.click()
    dark = paper()
    assert dark != light
    assert button.text == "Light theme"
    button.click()
    assert paper() == light


def test_text_stands_out_from_its_ground_in_both_themes(page: Browser, report: Path) -> None:
    """WCAG 2.1, 1.4.3: contrast of at least 4.5 for every text outside the plots."""
    for name in ("light", "dark"):
        theme(page, name)
        page.get(report.as_uri())
        worst = page.execute_script("""
            const parse = c => c.match(/[\\d.]+/g).map(Number);
            const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
            const lum = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
              .reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
            const ground = e => {
              const c = e ? parse(getComputedStyle(e).backgroundColor) : [255, 255, 255];
              const a = c.length < 4 ? 1 : c[3];
              if (a === 1) return c;
              const below = ground(e.parentElement);
              return [0, 1, 2].map(i => a * c[i] + (1 - a) * below[i]); };
            let found = [99, ''];
            for (const e of document.querySelectorAll('body *:not(svg):not(svg *)')) {
              const words = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
              if (!words || !e.offsetParent) continue;
              const a = lum(parse(getComputedStyle(e).color)), b = lum(ground(e));
              const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
              if (ratio < found[0]) found = [ratio, e.outerHTML.slice(0, 120)];
            }
            return found;""")
        assert worst[0] >= 4.5, (name, worst)


def test_on_paper_everything_is_open_and_light(page: Browser, report: Path, pictures: Path) -> None:
    import base64

    theme(page, "dark")
    page.get(report.as_uri())
    printed = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    path = pictures / "report.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    assert path.read_bytes().startswith(b"%PDF")
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    shown, paper = page.execute_script(
        "return [getComputedStyle(document.querySelector('nav')).display,"
        "getComputedStyle(document.body).backgroundColor]"
    )
    assert shown == "none"
    assert paper == "rgb(255, 255, 255)"


def test_it_can_be_read_without_scripts(page: Browser, report: Path) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get(report.as_uri())
        assert not page.find_element("id", "theme").is_displayed()
        assert page.find_element("id", "table-runs").is_displayed()
        summary = page.find_element("id", "summary").text
        assert "Theano (Keras 2)" in summary
        assert "2.53 (1.8x)" in summary
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
