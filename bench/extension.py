"""What the browser extension costs: a page load, a bundle, its rules, and the way to the prompt.

`python bench/extension.py [--rounds 30]` builds the extension, starts a real API with the profile
`fr-etat` and a headless Chromium with the extension, and prints medians beside their bars:

- the time that our content scripts take on a page's main thread, as Chromium's own trace counts it
  (thread time of the scripts that come from the extension, with all that they cause meanwhile), on
  a page like others and on a web mail where five links are marked; what runs in idle callbacks,
  when the page has nothing to do, is counted apart and added to no load;
- the heap of a bundle with 10,000 services, in Chromium and in node, and the processor time of
  compiling rules of 5,000 host patterns (node, the same engine);
- the time from the beginning of a navigation to the prompt's heading.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sovproxy.enforce.bundle import make_bundle  # noqa: E402  # needs the path
from sovproxy.settings import Settings  # noqa: E402
from sovproxy.usecases.policy.judging import Judge  # noqa: E402
from tests.extension.conftest import ARGS, Api, _load_builder  # noqa: E402
from tests.extension.sites import names_here, serving  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

SERVICES = 10_000
PATTERNS = 5_000
LINKS = "".join(f'<p><a href="https://us02web.zoom.us/j/{n}">Join</a></p>' for n in range(5))
PAGE = f'<!doctype html><html lang="en"><title>Page</title><h1>Page</h1>{LINKS}'
SITES = ("mail.example", "page.example")
MEETING = "https://us02web.zoom.us/j/1"
TRACED = "devtools.timeline,v8,disabled-by-default-v8.compile"
OUTER = {"EvaluateScript", "FunctionCall", "v8.compile"}

WATCH = """new MutationObserver((_, self) => {
  if (!document.querySelector('h1')) return;
  self.disconnect();
  window.shownAt = performance.now();
}).observe(document, { childList: true, subtree: true });"""
HEAP = """async (text) => {
  const { readBundle } = await import('/core/bundle.js');
  const { Decider } = await import('/core/decider.js');
  window.kept = [];
  window.make = () => window.kept.push(new Decider(readBundle(JSON.parse(text))));
  window.make();
  window.kept = [];
}"""


def grown(bundle: dict[str, Any], services: int, patterns: int) -> dict[str, Any]:
    """The shipped bundle with made-up services, each with a domain and all below it."""
    missing, listed = services - len(bundle["services"]), _host_patterns(bundle)
    operators = [item["id"] for item in bundle["operators"]]
    added, rows = [], []
    for number in range(max(missing, (patterns - listed) // 2)):
        operator, domain = operators[number % len(operators)], f"service-{number}.example"
        if number < missing:
            added.append(_service(number, operator))
        row = [f"made-up-{number}", None] if number < missing else [None, operator]
        rows.append(["host", *row, "verified", True, 0, None, f"{domain} *.{domain}"])
    grown_by = {"services": [*bundle["services"], *added]}
    return bundle | grown_by | {"listings": [*bundle["listings"], *rows]}


def _host_patterns(bundle: dict[str, Any]) -> int:
    return sum(len(row[7].split()) for row in bundle["listings"] if row[0] == "host")


def _service(number: int, operator: str) -> dict[str, Any]:
    return {
        "id": f"made-up-{number}",
        "name": f"Service {number}",
        "category": "videoconference",
        "operator": operator,
        "stance": "replace",
        "url": "",
        "alternatives": ["visio"],
    }


@contextmanager
def chromium(folder: Path, api: Api) -> Iterator[tuple[BrowserContext, str]]:
    """A browser with the extension and the policy; and the address of the extension's pages."""
    _load_builder().build(folder)
    package = folder / "chromium"
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path="/usr/bin/chromium",
            ignore_default_args=["--disable-extensions"],
            args=[*ARGS, names_here(*SITES), f"--load-extension={package}"],
        )
        workers = context.service_workers
        worker = workers[0] if workers else context.wait_for_event("serviceworker")
        address = worker.url.removesuffix("/shell/background.js")
        values = {"api": api.url, "mark_links_on": ["mail.example"]}
        worker.evaluate("values => chrome.storage.local.set(values)", values)
        page = context.new_page()
        page.goto(f"{address}/pages/options.html")
        page.evaluate("chrome.runtime.sendMessage({ kind: 'refresh' })")
        page.wait_for_timeout(1000)
        yield context, address
        context.close()


def script_time(page: Page, url: str, extension: str) -> tuple[float, float]:
    """Thread time (ms) of the extension's scripts in one load of a page, and in idle time after."""
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    session.on("Tracing.dataCollected", lambda found: events.extend(found["value"]))
    ended: list[Any] = []
    done = lambda found: ended.append(found)  # noqa: E731, PLW0108  # a method takes no mark
    session.on("Tracing.tracingComplete", done)
    session.send("Tracing.start", {"categories": TRACED, "transferMode": "ReportEvents"})
    page.goto(url)
    page.wait_for_timeout(400)
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(20)
    session.detach()
    idle = [item for item in events if item["name"] == "FireIdleCallback"]
    ours = outermost(events, extension)
    later = [item for item in ours if any(_holds(outer, item) for outer in idle)]
    times = [item.get("tdur", 0) / 1000 for item in later]
    return sum(item.get("tdur", 0) for item in ours) / 1000 - sum(times), sum(times)


def _holds(outer: dict[str, Any], item: dict[str, Any]) -> bool:
    same = outer["tid"] == item["tid"] and outer["pid"] == item["pid"]
    return same and outer["ts"] <= item["ts"] < outer["ts"] + outer.get("dur", 0)


def outermost(events: list[dict[str, Any]], extension: str) -> list[dict[str, Any]]:
    """The events of our scripts that no other event of ours holds."""
    ours = [item for item in events if item["name"] in OUTER and extension in json.dumps(item)]
    ours = [item for item in ours if "/content/" in json.dumps(item) and item.get("ph") == "X"]
    ours.sort(key=lambda item: (item["tid"], item["ts"], -item.get("dur", 0)))
    kept: list[dict[str, Any]] = []
    for item in ours:
        last = kept[-1] if kept else None
        inside = last and last["tid"] == item["tid"] and item["ts"] < last["ts"] + last["dur"]
        if not inside:
            kept.append(item)
    return kept


def way_to_prompt(context: BrowserContext) -> float:
    """Milliseconds from the beginning of a navigation to the prompt's heading."""
    page = context.new_page()
    page.add_init_script(WATCH)
    with suppress(Error):  # a navigation that is led elsewhere counts as broken off
        page.goto(MEETING)
    page.locator("h1").wait_for()
    taken = page.evaluate("window.shownAt")
    page.close()
    return taken


def chromium_heap(context: BrowserContext, address: str, bundle: dict[str, Any]) -> float:
    """Bytes that one bundle keeps in Chromium."""
    page = context.new_page()
    page.goto(f"{address}/pages/options.html")
    text = json.dumps(bundle)
    page.evaluate(HEAP, text)
    session = context.new_cdp_session(page)

    def used() -> float:
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["usedSize"]

    before = used()
    page.evaluate("window.make() && 0")
    after = used()
    page.close()
    return after - before


def node(bundle: dict[str, Any]) -> dict[str, float]:
    """The figures of `extension.mjs`."""
    command = ["node", "--expose-gc", str(ROOT / "bench" / "extension.mjs")]
    done = subprocess.run(
        command, input=json.dumps(bundle), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def report(what: str, value: float, unit: str, bar: float) -> None:
    """One line: what, the figure, its bar."""
    print(f"{what:60} {value:9.2f} {unit:3} (bar {bar:g})", flush=True)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        judge = Judge(Settings(data_dir=folder / "judge", policy="fr-etat"))
        bundle = make_bundle(judge.atlas, judge.policy)
        measure_core(bundle)
        measure_browser(folder, bundle, rounds)


def measure_core(bundle: dict[str, Any]) -> None:
    """Heap and compiling, in node."""
    rules = node(grown(bundle, len(bundle["services"]), PATTERNS))
    report(f"rules of {rules['patterns']:,} patterns, processor time", rules["compile"], "ms", 300)
    heavy = node(grown(bundle, SERVICES, PATTERNS))
    report(f"heap of {heavy['services']:,} services, node", heavy["heap"] / 1e6, "MB", 5)
    report(f"reading and indexing these {heavy['patterns']:,} patterns", heavy["read"], "ms", 300)
    report("one decision", heavy["decide"], "ms", 1)


def measure_browser(folder: Path, bundle: dict[str, Any], rounds: int) -> None:
    """Content scripts, heap and prompt, in Chromium."""
    with (
        running_api(folder) as api,
        serving(PAGE) as port,
        chromium(folder, api) as (context, address),
    ):
        page, extension = context.new_page(), address.rpartition("/")[2]
        for site in SITES:
            url = f"http://{site}:{port}/"
            taken = [script_time(page, url, extension) for _ in range(rounds)]
            load, idle = (statistics.median(times) for times in zip(*taken, strict=True))
            report(f"content scripts while {site} loads", load, "ms", 1)
            print(f"{f'content scripts on {site} in idle time':60} {idle:9.2f} ms", flush=True)
        heap = chromium_heap(context, address, grown(bundle, SERVICES, PATTERNS))
        report(f"heap of {SERVICES:,} services, Chromium", heap / 1e6, "MB", 5)
        shown = [way_to_prompt(context) for _ in range(rounds)]
        report("from the navigation to the prompt", statistics.median(shown), "ms", 200)


@contextmanager
def running_api(folder: Path) -> Iterator[Api]:
    """An API with the profile of the French State."""
    api = Api(folder, "fr-etat")
    try:
        yield api
    finally:
        api.stop()


if __name__ == "__main__":
    main()
