"""Settings by enterprise policy: as `sovproxy compile` prints them, in files that browsers read."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from sovproxy.enforce.browser_policies import (
    FIREFOX_ID,
    Installation,
    chromium_policy,
    firefox_policy,
)
from sovproxy.store.database import open_store
from sovproxy.store.tables import MEETING_COUNTS
from sovproxy.usecases.policy.bundles import key_set, load_key
from tests.barriers import barriers
from tests.extension.firefoxes import Firefox
from tests.extension.policies import (
    chromium_policy_file,
    extension_id,
    firefox_with_policy,
)
from tests.extension.sites import names_here, serving
from tests.extension.test_extension_meetings import PAGE

pytestmark = [pytest.mark.browser]

REGISTERED = (
    "chrome.scripting.getRegisteredContentScripts()"
    ".then((all) => all.map((it) => [it.id, it.matches[0]]))"
)
BY_ADMINISTRATION = "Your administration has set it."


@pytest.fixture
def installation(api, built) -> Installation:
    """What `sovproxy compile` would know of this API and this package."""
    keys = httpx.get(f"{api.url}/api/v1/bundle/keys").json()
    made = Installation(api.url, "https://x.example/u.xml", keys, extension_id(built / "chromium"))
    return replace(made, mark_links_on=("mail.example",), notice_meetings=False)


def only_settings(policy: dict) -> dict:
    """The part of a compiled policy that concerns nobody but the extension."""
    return {"3rdparty": policy["3rdparty"]}


def test_chromium_takes_every_setting_from_the_policy(chromium, installation):
    policy = only_settings(chromium_policy(installation))
    with chromium_policy_file(policy), chromium("en-GB") as browser:
        assert browser.address.endswith(installation.extension_id)
        browser.refresh()
        assert browser.stored("problem") == ""
        assert browser.stored("kept")["keys"] == installation.keys
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/options.html")
        expect(page.get_by_text(BY_ADMINISTRATION)).to_have_count(2)
        expect(page.get_by_label("Address of sovproxy")).to_have_value(installation.api)
        expect(page.get_by_label("Address of sovproxy")).not_to_be_editable()
        expect(page.get_by_label("Mark links")).to_have_value("mail.example")
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
        assert browser.worker.evaluate(REGISTERED) == [["links", "*://mail.example/*"]]
        assert barriers(page) == []


def test_firefox_takes_every_setting_from_the_policy(installation, built, tmp_path):
    policy = {"policies": {"3rdparty": firefox_policy(installation)["policies"]["3rdparty"]}}
    assert list(policy["policies"]["3rdparty"]["Extensions"]) == [FIREFOX_ID]
    executable = firefox_with_policy(tmp_path / "firefox", policy)
    with Firefox(built / "firefox", tmp_path / "p", "en-GB, en", executable=executable) as firefox:
        page = firefox.own("options.html")
        page.evaluate("browser.runtime.sendMessage({ kind: 'refresh' })")
        assert page.stored("problem") == ""
        page.wait_for(f"document.body.innerText.split('{BY_ADMINISTRATION}').length === 3")
        assert page.evaluate("document.getElementById('api').value") == installation.api
        assert page.evaluate("document.getElementById('marks').readOnly") is True
        assert page.evaluate(REGISTERED) == [["links", "*://mail.example/*"]]


def test_a_bundle_that_other_keys_have_signed_is_refused(chromium, installation, tmp_path):
    foreign = key_set(load_key(tmp_path / "another" / "key.pem"))
    policy = chromium_policy(replace(installation, keys=foreign))
    with chromium_policy_file(only_settings(policy)), chromium("en-GB") as browser:
        browser.refresh()
        assert browser.stored("kept") is None
        assert browser.stored("problem")


@pytest.mark.parametrize("report", [True, False])
def test_meetings_are_counted_only_where_the_policy_asks_for_it(
    chromium, api, installation, report
):
    settings = replace(installation, notice_meetings=True, report_unknown_meetings=report)
    with closing(open_store(api.settings.effective_store_url)) as store, serving(PAGE) as port:
        sites = ("meet.example", "other.example", "us02web.zoom.us")
        switches = (
            names_here(*sites),
            "--unsafely-treat-insecure-origin-as-secure="
            + ",".join(f"http://{site}:{port}" for site in sites),
        )
        policy = only_settings(chromium_policy(settings))
        with (
            chromium_policy_file(policy),
            chromium("en-GB", (1280, 900), *switches) as browser,
        ):
            browser.refresh()
            browser.be_known(api)
            for site in ("meet.example", "meet.example", "other.example"):
                page = browser.context.new_page()
                page.goto(f"http://{site}:{port}/")
                page.get_by_role("button", name="Peer").click()
                expect(page.locator("output")).to_have_text("peer is there")
            for _ in range(60):
                if counts(store) == ({"meet.example", "other.example"} if report else set()):
                    break
                page.wait_for_timeout(50)
            page.wait_for_timeout(300)  # what did not come by then does not come
        hosts = {"meet.example", "other.example"} if report else set()
        assert counts(store) == hosts
        with store.reading() as connection:
            found = connection.execute(select(MEETING_COUNTS.c["standing", "count"])).all()
        assert found == [("unknown", 1)] * len(hosts)


def counts(store) -> set[str]:
    with store.reading() as connection:
        return set(connection.scalars(select(MEETING_COUNTS.c.host)))


def test_a_person_who_types_no_site_is_told_which_line_it_is(chromium, api):
    with chromium("fr-FR") as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/options.html")
        page.get_by_label("Signaler").fill("mail.example\nhttps://mail.example/\n")
        page.get_by_role("button", name="Enregistrer").last.click()
        said = "« https://mail.example/ » n’est pas un site. Écrivez mail.example.org"
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.get_by_label("Signaler")).to_be_focused()
        assert browser.stored("mark_links_on") is None
        assert barriers(page) == []
