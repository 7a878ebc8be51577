"""Fuzz one target under atheris: `python -m fuzz_targets.one NAME [options of libFuzzer]`.

A process of its own: libFuzzer ends the process when it is done, or when a claim does not hold.
"""

from __future__ import annotations

import sys

import atheris

OURS = [
    "sovproxy",
    "sovproxy_addons",
    "mitmproxy.proxy.layers.tls",
    "mitmproxy.net.tls",
    "mitmproxy.contrib",
]


def main() -> None:
    """Instrument what is fuzzed, and go on until libFuzzer has done its runs."""
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=OURS):
        from fuzz_targets.all_targets import TARGETS  # noqa: PLC0415  # after the hook is set
    target = TARGETS[name]
    limits = [
        f"-max_len={target.max_length}",
        "-len_control=0",
        "-timeout=60",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup([sys.argv[0], *limits, *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
