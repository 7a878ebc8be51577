"""Writes down every name that the process asks the system to resolve, into $LAB_ASKED."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_getaddrinfo = socket.getaddrinfo
_asked = Path(os.environ["LAB_ASKED"])


def getaddrinfo(host, *arguments, **more):
    """Note the name, then answer that there is none: the lab has no name server."""
    with _asked.open("a") as file:
        file.write(f"{host}\n")
    if not str(host).replace(".", "").isdigit():
        raise socket.gaierror(socket.EAI_NONAME, "the lab has no name server")
    return _getaddrinfo(host, *arguments, **more)


socket.getaddrinfo = getaddrinfo
