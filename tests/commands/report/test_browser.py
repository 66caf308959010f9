"""The page in a browser, used with a mouse and with keys alone: sort, filter, switch, open, close, dark, narrow."""

import json
import shutil
import time

import pytest

from diffbench.commands.report.run import report

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason="no chromium with its chromedriver is here"),
]

EVIL = "<img src=x onerror=document.title='run'>"


@pytest.fixture(scope="module")
def driver():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield made
    made.quit()


@pytest.fixture(scope="module")
def page(lab, tmp_path_factory):
    """The page of a tree in which one model is named after an attack."""
    models = {
        "ddpm": [("ancestral", 10), ("ancestral", 25), ("ddim", 10), ("ddim", 25)],
        "iddpm": [("ancestral", 10), ("ddim", 50), ("ddim", 25)],
        "adm": [("ancestral", 25)],
        EVIL: [("ddim", 10)],
    }
    return report(lab(tmp_path_factory.mktemp("home"), models, nan="adm"))


class Opened:
    """A page in a browser, with short words for what a reader does."""

    def __init__(self, driver, page, width=1400, dark=False):
        self.driver = driver
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": theme})
        driver.get_log("browser"), driver.get_log("performance")
        driver.get(page.as_uri())
        driver.execute_script("try { localStorage.clear() } catch {}")
        driver.get(page.as_uri())
        self.wait("return document.documentElement.dataset.ready === 'yes'")

    def wait(self, script, seconds=20):
        until = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < until, script
            time.sleep(0.02)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def click(self, selector):
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def press(self, selector, key):
        from selenium.webdriver.common.action_chains import ActionChains

        self.run("arguments[0].focus()", self.find(selector))
        ActionChains(self.driver).send_keys(key).perform()

    def column(self, key):
        """The texts of a column of table 2, from the top."""
        return self.run(
            "const t = document.getElementById('table2-cells');"
            "const at = [...t.tHead.rows[0].cells].findIndex((cell) => cell.dataset.key === arguments[0]);"
            "return [...t.tBodies[0].rows].map((row) => row.cells[at].childNodes[0]?.textContent ?? '')", key,
        )  # fmt: skip

    def fits(self):
        """Whether the page has no scroll bar at its foot."""
        return self.run("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")

    def is_open(self):
        return self.run("return document.getElementById('origin').open")


@pytest.fixture
def opened(driver, page):
    return Opened(driver, page)


def until(read, good, seconds=10):
    """Wait for what a page shows: it sorts after the click is over."""
    end = time.monotonic() + seconds
    while not good(found := read()):
        assert time.monotonic() < end, found
        time.sleep(0.02)


def numbers(texts):
    return [float(text) for text in texts if text.strip()]


def head(key):
    return f"#table2-cells thead th[data-key={key}]"


def test_a_head_sorts_by_mouse_and_by_keys_and_rows_without_a_number_are_last(opened):
    from selenium.webdriver.common.keys import Keys

    assert numbers(opened.column("fid")) != sorted(numbers(opened.column("fid")))
    for backwards, said in ((False, "ascending"), (True, "descending")):
        opened.click(head("fid"))
        until(lambda: numbers(opened.column("fid")), lambda found: found == sorted(found, reverse=backwards))  # noqa: B023
        assert opened.column("fid")[-1] == "" and len(opened.column("fid")) == 10
        assert opened.find(head("fid")).get_attribute("aria-sort") == said
    opened.press(f"{head('steps')} [role=button]", Keys.ENTER)
    until(lambda: numbers(opened.column("steps")), lambda found: found == sorted(found))


def test_words_filter_rows_and_hidden_columns_do_not_count(opened):
    box = "#table2 input[type=search]"
    opened.find(box).send_keys("ddpm ddim")
    opened.wait("return document.querySelectorAll('#table2 tbody tr').length === 4")
    assert {text.partition(":")[0] for text in opened.column("model")} == {"ddpm", "iddpm"}
    opened.find(box).clear()
    opened.find(box).send_keys("digits_features")
    opened.wait("return document.querySelectorAll('#table2 tbody tr').length === 1")
    assert "No row has all of these words" in opened.find("#table2 tbody").text


def test_a_long_table_has_pages_with_a_name(opened):
    rows = "return document.querySelectorAll('#cost-jobs tbody tr').length"
    assert opened.run(rows) == 30
    opened.click("#cost-jobs .dt-paging button[data-dt-idx='1']")
    opened.wait(f"{rows} === 13")
    assert opened.find("#cost-jobs nav").get_attribute("aria-label") == "Pages of By job"


def test_all_columns_are_shown_on_demand(opened):
    shown = "return [...document.querySelectorAll('#table2 thead th')].filter((head) => head.offsetWidth).length"
    few = opened.run(shown)
    opened.click("input[data-wide=table2-cells]")
    assert opened.run(shown) > few > 6
    assert opened.fits()


def test_the_origin_of_a_number_opens_by_mouse_and_by_keys_and_escape_closes_it(opened):
    from selenium.webdriver.common.keys import Keys

    row = "#table2-cells tbody tr[data-name='ddpm, ddim, 25 steps']"
    at = opened.run(f"return document.querySelector('{head('fid')}').cellIndex")
    opened.click(f"{row} > :nth-child({at + 1})")
    assert opened.is_open()
    dialog = opened.find("#origin")
    assert "ddpm, ddim, 25 steps" in dialog.text and opened.find("#origin tr.chosen").text.startswith("fid 3.9604")
    for word in ("sampling", "classifier@2", "digits_features@7a8108d6", "sha256", "diffbench verify results"):
        assert word in dialog.text, word
    places = [item.text for item in opened.driver.find_elements("css selector", "#origin summary code")]
    assert places[0] == "results/scores/digits/ddpm/train0/ddim/sample0/25.json" and "results/data/train.npz" in places
    assert "results/models/ddpm/train0/weights.safetensors" in places and not any("iddpm" in place for place in places)
    opened.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not opened.is_open()
    for key in (Keys.ENTER, Keys.SPACE):
        opened.press(f"{row} button", key)
        assert opened.is_open() and not opened.driver.find_elements("css selector", "#origin tr.chosen")
        opened.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        assert not opened.is_open()
        assert opened.run("return document.activeElement.closest('tr').dataset.name") == "ddpm, ddim, 25 steps"
    opened.press(f"{row} button", Keys.ENTER)
    opened.click("#origin .close")
    assert not opened.is_open()


def test_the_numbers_of_two_sets_are_all_shown_and_those_of_one_set_once(opened):
    """A row of differences leads to both sides. Some of their numbers are equal."""
    one, other = (f"results/scores/digits/ddpm/train0/{name}/sample0/25.json" for name in ("ancestral", "ddim"))
    opened.run(
        "const files = JSON.parse(document.getElementById('data').textContent).files;"
        "const at = (place) => files.findIndex((file) => file.place === place);"
        "document.querySelector('#table2-cells tbody tr').dataset.files = [...arguments].map(at).join(' ')", one, other
    )  # fmt: skip
    opened.click("#table2-cells tbody tr button")
    rows = [row.text for row in opened.driver.find_elements("css selector", "#origin tbody tr")]
    assert {row.split()[-1] for row in rows if row.startswith("nfe ")} == {one, other}
    # The same set under two names of a protocol: the second file has the numbers of the first.
    opened.click("#origin .close")
    opened.run("const row = document.querySelector('#table2-cells tbody tr'), first = row.dataset.files.split(' ')[0];"
               "row.dataset.files = `${first} ${first}`")  # fmt: skip
    opened.click("#table2-cells tbody tr button")
    rows = [row.text for row in opened.driver.find_elements("css selector", "#origin tbody tr")]
    assert len([row for row in rows if row.startswith("nfe ")]) == 1


def test_the_grid_switches_by_model_sampler_and_steps(opened):
    from selenium.webdriver.support.select import Select

    def chosen(name):
        return Select(opened.find(f"#grid-{name}"))

    def picture():
        return opened.run("return document.querySelector('#grid i').style.backgroundImage")

    words = opened.find("#grid-words")
    before = picture()
    chosen("model").select_by_visible_text("iddpm")
    assert {option.text for option in chosen("sampler").options} == {"ancestral", "ddim"}
    chosen("sampler").select_by_visible_text("ddim")
    assert [option.text for option in chosen("steps").options] == ["25", "50"]
    chosen("steps").select_by_visible_text("50")
    assert "32 of 40 samples of iddpm, ddim, 50 steps" in words.text and picture() != before
    assert len(opened.driver.find_elements("css selector", "#grid i")) == 32
    # adm has no ddim and no 50 steps: its own choices take their place.
    chosen("model").select_by_visible_text("adm")
    assert "adm, ancestral, 25 steps" in words.text and "above its class" in words.text
    assert opened.find("#grid span").text == "0" and not opened.find("#grid-train").is_displayed()
    assert "real images" in opened.find("#grid-real-words").text
    assert opened.run("return getComputedStyle(document.querySelector('#grid i')).imageRendering") == "pixelated"
    # By keys alone.
    opened.press("#grid-model", "d")
    assert "samples of ddpm" in words.text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_the_reader_s_colours_and_a_button_changes_them(driver, page, dark):
    opened = Opened(driver, page, dark=dark)
    is_dark = "return document.documentElement.classList.contains('dark')"
    paper = "return getComputedStyle(document.body).backgroundColor"
    first = opened.run(paper)
    assert opened.run(is_dark) == dark and opened.find("#dark").get_attribute("aria-pressed") == str(dark).lower()
    opened.click("#dark")
    assert opened.run(is_dark) != dark and opened.run(paper) != first
    opened.driver.refresh()
    opened.wait("return document.documentElement.dataset.ready === 'yes'")
    assert opened.run(is_dark) != dark, "the choice is kept"


@pytest.mark.parametrize("width", [400, 700, 1400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_and_the_page_is_no_wider_than_its_window(driver, page, width, dark):
    from axe_core_python.selenium import Axe

    opened = Opened(driver, page, width, dark)
    assert opened.fits()
    found = Axe().run(driver)["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    opened.click("input[data-wide=table2-cells]")
    opened.click("#table2-cells tbody button")
    assert opened.is_open()
    found = Axe().run(driver)["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert opened.run("const d = document.getElementById('origin'); return d.scrollWidth <= d.clientWidth")
    assert opened.fits()


def test_nothing_is_asked_from_a_network_nothing_runs_from_the_data_and_no_error_is_said(driver, page):
    opened = Opened(driver, page)
    for model in (EVIL, "ddpm"):
        opened.run(
            "const s = document.getElementById('grid-model'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))",
            model,
        )
    opened.run(
        "document.querySelectorAll('#table2-cells tbody button').forEach((b) => { b.click(); document.getElementById('origin').close() })"
    )
    assert EVIL in opened.run("return document.body.textContent") and not opened.driver.find_elements(
        "css selector", "img[src=x]"
    )
    assert opened.driver.title == "digits: results"
    assert [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    asked = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"}
    assert {url.partition(":")[0] for url in urls} <= {"file", "data", "blob"} and page.as_uri() in urls
    assert [url for url in urls if url.startswith("file:")] == [page.as_uri()]


def test_every_figure_is_drawn(opened):
    shown = "return [...document.querySelectorAll('figure img')].map((image) => image.complete && image.naturalWidth)"
    until(lambda: opened.run(shown), all)
    assert opened.run(shown) == [320] and "data-packed" not in opened.find("figure img").get_attribute("outerHTML")


def test_without_scripts_all_tables_are_there(driver, page):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get(page.as_uri())
        assert len(driver.find_elements("css selector", "#table2-cells tbody tr")) == 10
        assert "Scripts are off" in driver.find_element("css selector", "noscript").text
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
