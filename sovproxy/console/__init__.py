"""The console: pages for those who run sovproxy and those who review its traffic."""
