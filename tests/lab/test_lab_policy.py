"""A real proxy and a real API on one machine: what is applied is obeyed, and rolled back again."""

from __future__ import annotations

import pytest

from sovproxy.usecases.access.tokens import Role
from tests.lab.apis import Api
from tests.lab.clients import curl
from tests.lab.proxies import wait_until
from tests.lab.world import POLICY, make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

SOCIAL = "  - id: social\n    when: {category: social-network}\n    action: "


@pytest.fixture
def machine(start_proxy, tmp_path):
    """A proxy, and an API that has the same data directory."""
    world = make_world(tmp_path / "world")
    proxy = start_proxy(world)
    api = Api(proxy.data, world.settings, proxy.api_port)
    api.start()
    yield proxy, api
    api.kill()


def test_the_proxy_obeys_an_applied_policy_and_a_rollback(machine, me, origins):
    proxy, api = machine
    address = f"https://www.facebook.com:{origins.facebook.port}/"

    def status() -> int:
        return curl(proxy, address, "--insecure", me=me).status

    def post(what, **body):
        return api.call(Role.ADMIN, "POST", f"/policy/{what}", json=body)

    assert status() == 200
    stricter = POLICY.replace(f"{SOCIAL}observe", f"{SOCIAL}block")
    assert stricter != POLICY
    assert post("apply", text="rules: 7\n", based_on=0).status_code == 422
    assert post("apply", text=stricter, based_on=0).json()["number"] == 2
    wait_until(lambda: status() == 451, "the stricter policy is obeyed")
    assert post("rollback", number=1, based_on=2).json()["number"] == 3
    wait_until(lambda: status() == 200, "the rollback is obeyed")
