"""sovproxy judges outbound traffic by jurisdiction and shows the way to the sovereign tool.

Read it from the core outwards: `decide` (pure), `atlas` and `policy` (what is known, what is
wanted), `usecases` (the same verdict for every door), then the doors: `cli`, `api`, `../addons`.
"""

__version__ = "0.1.0"
