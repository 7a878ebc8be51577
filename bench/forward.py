"""How many events a second are forwarded over TCP, by body: `python bench/forward.py [EVENTS]`."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from export import an_event

from sovproxy.receivers import Begin, Body, SyslogReceiver
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.usecases.upkeep.forwarding import Forwarding


def swallow(server: socket.socket) -> None:
    """Take what comes, as quickly as it comes."""
    while True:
        client, _ = server.accept()
        while client.recv(1 << 20):
            pass


def main() -> None:
    """Fill a store and forward it in every form."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=swallow, args=(server,), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(sqlite_url(Path(folder) / "bench.sqlite"))
        for begin in range(0, number, 5000):
            batch = [an_event(begin + index) for index in range(min(5000, number - begin))]
            insert_records(store, batch, [])
        for body in Body:
            receiver = SyslogReceiver(
                kind="syslog",
                name=body.value,
                host="127.0.0.1",
                port=server.getsockname()[1],
                tls=False,
                body=body,
                begin=Begin.FIRST,
            )
            forwarding, begun = Forwarding.of(store, [receiver], "bench"), time.perf_counter()
            forwarding.start()
            while forwarding.states()[0][1].sent < number:
                time.sleep(0.01)
            print(f"{body:8} {number / (time.perf_counter() - begun):10,.0f} events/s")
            forwarding.stop()
        store.close()


if __name__ == "__main__":
    main()
