"""Runs a command under the restrictions of a systemd unit, as far as that goes without systemd.

`python confined.py UNIT FOLDER COMMAND…`: only FOLDER may be written, and its owner runs COMMAND,
without any capability. Needs root, libseccomp, and `systemd-analyze`, which tells what the sets of
system calls mean.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_MDWE = 38, 24, 65  # prctl(2)
REFUSE_EXEC_GAIN = 1
LAST_CAPABILITY = 40
ACT_ALLOW, ACT_REFUSE, CMP_EQ = 0x7FFF0000, 0x00050000 | 1, 4  # seccomp.h; the 1 is EPERM
ACT_NO_SUCH_CALL = 0x00050000 | 38  # ENOSYS
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18  # mount(2)
CLONE_NEWNS, CLONE_NEWIPC = 0x00020000, 0x08000000

libc = ctypes.CDLL(None, use_errno=True)


class Compare(ctypes.Structure):
    """`struct scmp_arg_cmp`: one condition on an argument of a system call."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


def read_unit(path: Path) -> dict[str, list[str]]:
    """The settings of a unit, each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno() or -result
        raise OSError(number, f"{what}: {os.strerror(number)}")


def system_calls(name: str) -> set[str]:
    """The calls of a set such as `@system-service`, with those of the sets in it."""
    if not name.startswith("@"):
        return {name}
    command = ["systemd-analyze", "syscall-filter", "--no-pager", name]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    words = (line.strip() for line in lines[1:])
    return set().union(*(system_calls(word) for word in words if word and word[0] != "#"))


def make_read_only(folder: Path) -> None:
    """ProtectSystem=strict: everything is read-only, but `folder`."""
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC), "unshare")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    path = str(folder).encode()
    check(libc.mount(path, path, None, MS_BIND, None), "bind")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if place == str(folder) or place.startswith(("/proc", "/dev")):
            continue
        libc.mount(None, place.encode(), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
    os.chdir(folder)


def drop_rights(unit: dict[str, list[str]], user: int) -> None:
    """CapabilityBoundingSet=, DynamicUser=, NoNewPrivileges=, MemoryDenyWriteExecute=, Limit…=."""
    files = int(unit["LimitNOFILE"][0])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = files if hard == resource.RLIM_INFINITY else min(files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert unit["CapabilityBoundingSet"] == [""]
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.umask(int(unit["UMask"][0], 8))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    assert unit["NoNewPrivileges"] == ["yes"]
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        check(libc.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0), "mdwe")


def filter_calls(unit: dict[str, list[str]], calls: set[str]) -> None:
    """SystemCallFilter=, RestrictAddressFamilies=, RestrictNamespaces=: a real seccomp filter."""
    assert unit["RestrictNamespaces"] == ["yes"]
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ACT_REFUSE))
    check(_rule(library, context, ACT_NO_SUCH_CALL, b"clone3"), "clone3")  # as systemd does it
    for name in sorted(calls - {"socket", "unshare", "setns", "clone3"}):
        check(_rule(library, context, ACT_ALLOW, name.encode()), name)
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in unit["RestrictAddressFamilies"][0].split():
        equals = Compare(0, CMP_EQ, getattr(socket, family), 0)  # SCMP_CMP_EQ
        check(library.seccomp_rule_add(context, ACT_ALLOW, number, 1, equals), family)
    check(library.seccomp_load(context), "seccomp_load")


def _rule(library: ctypes.CDLL, context: ctypes.c_void_p, action: int, name: bytes) -> int:
    """Add a rule for a call; this machine may not have it at all."""
    number = library.seccomp_syscall_resolve_name(name)
    return library.seccomp_rule_add(context, action, number, 0) if number >= 0 else 0


def main(path: str, folder: str, *command: str) -> None:
    unit = read_unit(Path(path))
    calls: set[str] = set()
    for value in unit["SystemCallFilter"]:
        named = set().union(*map(system_calls, value.removeprefix("~").split()))
        calls = calls - named if value.startswith("~") else calls | named
    make_read_only(Path(folder))
    drop_rights(unit, Path(folder).stat().st_uid)
    filter_calls(unit, calls)
    os.execv(command[0], command)  # noqa: S606 - the test's own command


if __name__ == "__main__":
    main(*sys.argv[1:])
