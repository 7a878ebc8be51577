"""What a node has to tell survives, is bounded, and goes away only when it was taken."""

from __future__ import annotations

import stat

import pytest

from sovproxy.fleet import outbox as outboxes
from sovproxy.fleet.outbox import Message, Outbox, OutboxFull


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "node" / "outbox"


def message(number: int, **body) -> Message:
    return Message("exception", f"0000-{number:04}", body or {"n": number}, about="x")


def test_messages_survive_and_come_oldest_first(folder):
    for number in (3, 1, 2):
        Outbox(folder).put(message(number))
    assert Outbox(folder).oldest(2) == [message(1), message(2)]


def test_a_message_is_there_until_it_is_done(folder):
    outbox = Outbox(folder)
    outbox.put(message(1))
    outbox.done(message(1))
    assert (len(outbox), len(Outbox(folder))) == (0, 0)
    assert not list(folder.iterdir())


def test_the_same_id_is_kept_once(folder):
    outbox = Outbox(folder)
    outbox.put(message(1, text="first"))
    outbox.put(message(1, text="second"))
    assert outbox.oldest(9) == [message(1, text="second")]


def test_only_its_owner_may_read_it(folder):
    Outbox(folder).put(message(1))
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_it_is_bounded_in_number_and_size(folder, monkeypatch):
    outbox = Outbox(folder)
    with pytest.raises(OutboxFull, match="at most 16384 bytes"):
        outbox.put(message(1, text="x" * 20_000))
    monkeypatch.setattr(outboxes, "MAX_MESSAGES", 1)
    outbox.put(message(1))
    with pytest.raises(OutboxFull, match="1 messages wait"):
        outbox.put(message(2))


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "x" * 65, "é"])
def test_an_id_that_is_no_file_name_is_refused(folder, name):
    with pytest.raises(OutboxFull):
        Outbox(folder).put(Message("exception", name, {}))
    assert not list(folder.parent.glob("evil*"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": 1}', b"\xff\xfe"])
def test_a_damaged_message_is_dropped_and_holds_up_nothing(folder, content):
    Outbox(folder).put(message(2))
    (folder / "0000-0001.json").write_bytes(content)
    outbox = Outbox(folder)
    assert outbox.oldest(9) == [message(2)]
    assert not (folder / "0000-0001.json").exists()


def test_half_written_files_are_no_messages(folder):
    Outbox(folder)
    (folder / ".0000-0001.json.77.new").write_text("{")
    assert len(Outbox(folder)) == 0
