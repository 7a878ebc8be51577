"""People of the lab who meet the nodes of a fleet."""

from __future__ import annotations

from tests.lab.clients import NAVIGATION, TOKEN, curl

GO_ON = "/.well-known/sovproxy/go-on"
ASK = "/.well-known/sovproxy/ask"


def join(start, api, world, name, **more):
    """Start a node that belongs to the API's fleet, and wait until it knows what is in force."""
    settings = {"SOVPROXY_NODE": name, "SOVPROXY_TUNNEL_GRACE": "1"}
    proxy = start(world, settings=settings, enrol=api.enrol, **more)
    api.wait_for_node(name, current=True)
    return proxy


class Person:
    """Somebody at one address, who can come in through any node."""

    def __init__(self, me, origin, host, authority) -> None:
        self.me, self.host, self.authority = me, host, authority
        self.base = f"https://{host}:{origin.port}"

    def open(self, proxy, *arguments, path="/", trust=None):
        return curl(proxy, self.base + path, *arguments, me=self.me, trust=trust)

    def passes(self, proxy) -> bool:
        return self.open(proxy, trust=self.authority.certificate).status == 200

    def rule(self, proxy) -> str:
        """The rule that stops a script of this person."""
        return self.open(proxy, "-H", "x-requested-with: me").problem["rule"]

    def post(self, proxy, path, **form):
        fields = [("--data-urlencode", f"{name}={value}") for name, value in form.items()]
        flat = [part for field in fields for part in field]
        return self.open(proxy, *flat, *NAVIGATION, "-H", "Accept-Language: en", path=path)

    def asking_token(self, proxy) -> str:
        """The token of the form for asking: the last one on the prompt."""
        return TOKEN.findall(self.open(proxy).text)[-1]

    def ask(self, proxy, why, token=None, span="week"):
        form = {"token": self.asking_token(proxy) if token is None else token, "why": why}
        return self.post(proxy, ASK, part="guest", until=span, **form)
