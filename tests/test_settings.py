from __future__ import annotations

import pytest

from sovproxy.settings import Settings


@pytest.mark.parametrize("name", ["CATALOGUE_DIR", "HOSTS_FILE", "POLICY", "API_PORT"])
def test_a_variable_that_is_empty_is_as_if_it_were_not_set(tmp_path, monkeypatch, name):
    """As an EnvironmentFile of systemd has them, that somebody fills in later."""
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path))
    monkeypatch.delenv(f"SOVPROXY_{name}", raising=False)
    unset = Settings()
    monkeypatch.setenv(f"SOVPROXY_{name}", "")
    assert Settings() == unset
