"""The mitmproxy addons, installed as `sovproxy_addons`: flow -> destination -> decide -> effect."""
