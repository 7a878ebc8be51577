"""Secrets are compared in constant time: the source is read, because a clock cannot prove it.

`bench/timing.py` measures; here each comparison of something that is called a secret must be
`hmac.compare_digest`, or stand in a table with the reason why it tells nobody anything.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRET = re.compile(
    r"secret|digest|signature|csrf|password|nonce|hmac|\bmac\b|totp|recovery|verifier|passphrase"
)
PUBLIC = {
    "sovproxy/policy/applied.py: note.digest == digest": "digests of policies are shown to all",
    "sovproxy/usecases/nodes/fleet.py: report.policy.version == policy.digest": "the same",
    "sovproxy/usecases/nodes/membership.py: applied.digest == policy.version": "the same",
    "sovproxy/usecases/policy/policies.py: newest.digest == policy.version": "the same",
    "sovproxy/usecases/nodes/fleet.py: report.catalogue.digest != wanted": (
        "versions of the catalogue's entries, which are told to all nodes"
    ),
    "sovproxy/usecases/nodes/membership.py: carried_digest(self._settings.data_dir) == wanted": (
        "the same"
    ),
    "sovproxy/fleet/link.py: found.digest != digest": "the same",
    "sovproxy/fleet/messages.py: found.digest != self.digest": "the same",
    "sovproxy/atlas/database_install.py: current.asked == url_digest(url)": "of an address of ours",
    "sovproxy/atlas/database_baseline.py: hashlib.sha256(content).hexdigest() != entry.sha256": (
        "of a file that we ship"
    ),
    "sovproxy/atlas/database_fetch.py: digest.hexdigest() != wanted": "the server's own, no secret",
    "addons/asking.py: str(stands.id) != made.nonce": "the number of a request, which pages show",
    "sovproxy/console/one_time_links.py: password != form.get('again', '')": "both of one person",
}
MUST = {
    "sovproxy/usecases/access/tokens.py": "the secret of a token",
    "sovproxy/usecases/access/remembering.py": "tokens that are remembered",
    "sovproxy/usecases/access/second_factor.py": "codes",
    "sovproxy/usecases/access/oidc.py": "the browser of a sign-in",
    "sovproxy/usecases/access/oidc_tokens.py": "the nonce",
    "sovproxy/api/access.py": "the CSRF token of the API",
    "sovproxy/console/forms.py": "the CSRF token of a form",
    "sovproxy/console/notices.py": "the seal of a notice",
}


def sources():
    for folder in ("sovproxy", "addons"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def compared(source: str) -> list[str]:
    """Comparisons by `==`, `!=` or `in` of values (no constants) one of which is called secret."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        if not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        if any(SECRET.search(name_of(side)) for side in sides):
            found.append(ast.unparse(node))
    return found


def name_of(node: ast.expr) -> str:
    """What a value is called; a count or a type of it tells nothing."""
    text = ast.unparse(node).lower()
    return "" if text.startswith(("len(", "type(", "secret_bytes")) or ".c." in text else text


def test_nothing_that_is_called_a_secret_is_compared_by_equality():
    found = {f"{path}: {one}" for path, source in sources() for one in compared(source)}
    assert {one for one in found if one not in PUBLIC} == set()


def test_the_reasons_are_of_comparisons_that_exist():
    found = {f"{path}: {one}" for path, source in sources() for one in compared(source)}
    assert set(PUBLIC) <= found


def test_every_place_that_checks_a_secret_does_it_in_constant_time():
    with_it = {path for path, source in sources() if "hmac.compare_digest(" in source}
    assert set(MUST) <= with_it


def test_a_comparison_by_equality_would_be_found():
    assert compared("if shown == session.csrf: pass") == ["shown == session.csrf"]
    assert compared("x = row.digest != made(secret)") == ["row.digest != made(secret)"]
    assert compared("hmac.compare_digest(a.secret, b); password == ''") == []
