"""Forwarding to a file: whole lines, private, rotated, and kept through deaths and full disks."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import Any

import pytest

from sovproxy.events import forward_file
from sovproxy.events.forward_file import FileInUse, FileSink
from sovproxy.receivers import FileReceiver
from sovproxy.usecases.upkeep import forwarding as use_case


@pytest.fixture
def to_file(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()

    def make(**fields: Any) -> FileReceiver:
        values = {"kind": "file", "name": "log", "path": folder / "events.jsonl", "body": "json"}
        return FileReceiver.model_validate(values | {"begin": "first"} | fields)

    return make


def ids(*paths):
    return [json.loads(line)["id"] for path in paths for line in path.read_text().splitlines()]


def test_every_event_is_a_line_of_a_private_file(add, forward, to_file, eventually):
    receiver = to_file()
    wanted = add(1200)
    forward(receiver)
    eventually(lambda: receiver.path.exists() and len(ids(receiver.path)) == 1200)
    assert ids(receiver.path) == wanted
    assert stat.S_IMODE(receiver.path.stat().st_mode) == 0o600


def test_a_file_that_logrotate_moved_away_is_opened_anew(add, forward, to_file, eventually):
    receiver = to_file()
    moved = receiver.path.with_name("events.jsonl.1")
    wanted = add(5)
    forward(receiver)
    eventually(lambda: receiver.path.exists() and len(ids(receiver.path)) == 5)
    receiver.path.rename(moved)
    wanted += add(5, first=5)
    eventually(lambda: receiver.path.exists() and len(ids(receiver.path)) == 5)
    assert ids(moved, receiver.path) == wanted


def test_it_rotates_by_size_and_keeps_the_newest(to_file):
    receiver = to_file(max_bytes=100, keep=2)
    sink = FileSink(receiver)
    for number in range(5):
        sink.send(b"%d%s\n" % (number, b"x" * 80))
    sink.close()
    rotated = sorted(receiver.path.parent.glob("events-*.jsonl"))
    assert [path.read_bytes()[:1] for path in (*rotated, receiver.path)] == [b"2", b"3", b"4"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in rotated} == {0o600}


def test_it_rotates_when_a_new_day_has_begun(to_file):
    receiver = to_file(max_hours=24)
    receiver.path.write_bytes(b"yesterday\n")
    yesterday = time.time() - 86_400
    os.utime(receiver.path, (yesterday, yesterday))
    sink = FileSink(receiver)
    sink.send(b"today\n")
    sink.close()
    [rotated] = receiver.path.parent.glob("events-*.jsonl")
    assert (rotated.read_bytes(), receiver.path.read_bytes()) == (b"yesterday\n", b"today\n")


def test_a_half_line_of_a_killed_process_is_taken_back(to_file):
    receiver = to_file()
    receiver.path.write_bytes(b'{"whole":1}\n{"half":')
    sink = FileSink(receiver)
    sink.send(b'{"whole":2}\n')
    sink.close()
    assert receiver.path.read_bytes() == b'{"whole":1}\n{"whole":2}\n'


def test_a_full_disk_leaves_no_half_line_and_heals(add, forward, to_file, eventually, monkeypatch):
    monkeypatch.setattr(use_case, "LONGEST_PAUSE", 0.1)
    receiver = to_file()
    full = True
    write = forward_file.write_all

    def write_some(handle: int, data: bytes) -> None:
        if full:
            os.write(handle, data[:30])
            raise OSError(28, "No space left on device")
        write(handle, data)

    monkeypatch.setattr(forward_file, "write_all", write_some)
    wanted = add(10)
    forwarding = forward(receiver)
    problem = eventually(lambda: forwarding.states()[0][1].problem)
    assert "No space left on device" in problem
    assert receiver.path.read_bytes() == b""
    full = False
    eventually(lambda: len(ids(receiver.path)) == 10)
    assert ids(receiver.path) == wanted
    eventually(lambda: not forwarding.states()[0][1].problem)


def test_two_processes_cannot_write_the_same_file(to_file):
    receiver = to_file()
    sink = FileSink(receiver)
    with pytest.raises(FileInUse, match="another process writes"):
        FileSink(receiver)
    FileSink(receiver, alone=False).close()  # a test message may
    sink.close()


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo])
def test_only_a_regular_file_is_written(to_file, make):
    receiver = to_file()
    make(receiver.path)
    with pytest.raises(OSError, match=r"no regular file|symbolic links"):
        FileSink(receiver)


def test_a_folder_that_is_not_there_is_named(add, forward, to_file, eventually, tmp_path):
    forwarding = forward(to_file(path=tmp_path / "missing" / "events.jsonl"))
    problem = eventually(lambda: forwarding.states()[0][1].problem)
    assert "missing/events.jsonl cannot be forwarded to: No such file or directory" in problem
