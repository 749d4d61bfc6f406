"""Signed snapshots: who may have written one, and which key it needs."""

from typing import Any

import pytest
from django.test import override_settings
from django.utils.crypto import salted_hmac
from hypothesis import given
from hypothesis import strategies as st

from workflow.code import signing
from workflow.code.signing import SnapshotTampered, UnknownSigningKey

OLD, NEW, NEWEST = "the old key " * 4, "the new key " * 4, "the newest key " * 4
CONTENT = st.binary(min_size=1, max_size=50)


def keys(*listed: str) -> Any:
    return override_settings(WORKFLOW={"SNAPSHOT_KEYS": list(listed)})


def signed_without_fingerprint(name: str, snapshot: bytes, key: str) -> bytes:
    """As versions signed before there were fingerprints."""
    value = f"{name}-".encode() + snapshot
    return salted_hmac("workflow.snapshot", value, secret=key, algorithm="sha256").digest() + snapshot


def verified(name: str, signed: bytes) -> bytes:
    return signing.verify(name, signed, where="task run 7")


@given(snapshot=CONTENT, name=st.text(max_size=5), other=st.text(max_size=5))
def test_it_is_good_for_its_name_and_with_its_key_alone(snapshot: bytes, name: str, other: str) -> None:
    with keys(NEW, OLD):
        signed = signing.sign(name, snapshot)
        assert verified(name, signed) == snapshot
        if other != name:
            with pytest.raises(SnapshotTampered, match="The snapshot of task run 7 is not what was saved"):
                verified(other, signed)
    with keys(NEWEST, NEW):
        assert verified(name, signed) == snapshot
        assert not signing.is_of_newest_key(signed)
        assert signing.is_of_newest_key(signing.sign(name, snapshot))
    with keys(OLD), pytest.raises(UnknownSigningKey) as refused:
        verified(name, signed)
    assert refused.value.fingerprint == signing.signed_by(signed) == signing.fingerprint(NEW)


@given(snapshot=CONTENT, place=st.integers(0), bit=st.integers(0, 7))
def test_no_bit_of_it_can_be_changed(snapshot: bytes, place: int, bit: int) -> None:
    with keys(NEW, OLD):
        changed = bytearray(signing.sign("name", snapshot))
        changed[place % len(changed)] ^= 1 << bit
        with pytest.raises(SnapshotTampered):
            verified("name", bytes(changed))


@given(rest=st.sampled_from((b"1", b"2")), more=CONTENT)
def test_one_from_before_there_were_fingerprints_is_good_with_any_known_key(rest: bytes, more: bytes) -> None:
    signed = signed_without_fingerprint("254-1-0-1", rest + more, OLD)
    with keys(NEW, OLD):
        assert verified("254-1-0-1", signed) == rest + more
        assert not signing.is_of_newest_key(signed)
    with keys(NEW), pytest.raises(SnapshotTampered, match="or it was signed by a key that is not known any more"):
        verified("254-1-0-1", signed)


def test_software_from_before_there_were_fingerprints_takes_it_for_one_of_another_version() -> None:
    """It finds the signature right, and the first byte to be none of its own: then it replays the code from its ledger."""
    with keys(NEW):
        signed = signing.sign("254-1-0-1", b"2snapshot")
    content = signed[32:]
    assert signed == signed_without_fingerprint("254-1-0-1", content, NEW)
    assert content[:1] not in {b"1", b"2"}


def test_by_default_the_keys_are_those_of_the_site() -> None:
    with override_settings(WORKFLOW={}, SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD]):
        assert signing.signing_keys() == [NEW, OLD]
        signed = signing.sign("name", b"snapshot")
        assert signing.signed_by(signed) == signing.fingerprint(NEW)
    with override_settings(WORKFLOW={"SNAPSHOT_KEYS": [NEWEST]}, SECRET_KEY=NEW):
        assert signing.signing_keys() == [NEWEST], "a leaked SECRET_KEY signs no snapshot any more"
        with pytest.raises(SnapshotTampered, match=r"add it to the end of WORKFLOW\['SNAPSHOT_KEYS'\]"):
            verified("name", signed)


def test_a_fingerprint_is_short_and_tells_nothing_of_the_key() -> None:
    assert len({signing.fingerprint(key) for key in (OLD, NEW, NEWEST)}) == 3
    assert len(signing.fingerprint(OLD)) == 16
    assert signing.fingerprint(OLD) == signing.fingerprint(OLD)


def test_where_nothing_is_to_be_saved_nothing_is_signed() -> None:
    assert signing.sign("name", b"") == b""
