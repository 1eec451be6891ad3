"""Keys follow one another: announced, active, understood, ended; and a file is whole at every moment."""

import asyncio
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.encryption import EncryptionKeys
from tenantry.tokens.errors import AccessTokenRejected, KeyFileError, Reason, SealBroken
from tenantry.tokens.key_files import create, read_entries, rewrite
from tenantry.tokens.key_ring import KeyState
from tenantry.tokens.key_rotation import generated, kid_of, retire, rotate, states
from tenantry.tokens.key_watch import KeyWatch
from tenantry.tokens.signing import SigningKeys, read_keys
from tests.support.clocks import MovableClock
from tests.support.wires import ADA

LIFETIME, ANNOUNCE = 7_200, 600
ALGORITHMS = ("ES256", "RS256", "A256GCM")


def file_of(folder: Path, algorithm: str = "ES256") -> Path:
    """A new key file."""
    path = folder / "keys.json"
    create(path, generated(algorithm))
    return path


def turn(path: Path, clock: MovableClock, announce: int = ANNOUNCE) -> str:
    """Rotate at the clock's time."""
    return rotate(path, now=clock(), lifetime_seconds=LIFETIME, announce_seconds=announce)


def standing(path: Path, clock: MovableClock) -> Sequence[str]:
    """Where the keys stand, in the file's order."""
    return [str(state) for _, state in states(path, now=clock())]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_announced_then_takes_over_and_is_of_the_same_algorithm(
    tmp_path: Path, algorithm: str
) -> None:
    clock, path = MovableClock(), file_of(tmp_path, algorithm)
    kid = turn(path, clock)
    assert standing(path, clock) == ["active", "pending"]
    clock.forward(ANNOUNCE)
    assert standing(path, clock) == ["understood", "active"]
    assert [key.kid for key, state in states(path, now=clock()) if state is KeyState.ACTIVE] == [kid]
    assert {entry["alg"] for entry in read_entries(path)} == {algorithm}
    assert path.stat().st_mode & 0o777 == 0o600
    clock.forward(LIFETIME + 61)
    assert standing(path, clock) == ["understood" if algorithm == "A256GCM" else "ended", "active"]


def test_a_key_that_has_ended_is_left_out_at_the_next_turn(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    (first,) = map(kid_of, read_entries(path))
    second = turn(path, clock)
    clock.forward(ANNOUNCE + LIFETIME + 61)
    third = turn(path, clock)
    assert [kid_of(entry) for entry in read_entries(path)] == [second, third]
    assert first not in {second, third}


def token_of(tokens: AccessTokens) -> str:
    return tokens.mint(ADA).token


def test_tokens_of_the_old_key_hold_for_as_long_as_they_live_and_no_longer(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    turn(path, clock)
    keys = SigningKeys.load(path, clock=clock)
    tokens = AccessTokens(keys, issuer="https://i", audience="a", lifetime_seconds=10**6, clock=clock)
    assert len(keys.jwks()["keys"]) == 2
    clock.forward(ANNOUNCE - 1)
    old = token_of(tokens)
    assert tokens.verify(old).kid == states(path, now=clock())[0][0].kid
    clock.forward(1)
    new = token_of(tokens)
    assert tokens.verify(new).kid != tokens.verify(old).kid
    clock.forward(LIFETIME + 59)
    tokens.verify(old)
    clock.forward(1)
    for _ in range(2):
        with pytest.raises(AccessTokenRejected) as refused:
            tokens.verify(old)
        assert refused.value.reason == Reason.UNKNOWN_KEY
    tokens.verify(new)
    assert [key["kid"] for key in keys.jwks()["keys"]] == [tokens.verify(new).kid]


def test_a_key_that_has_been_retired_is_refused_though_its_token_was_seen_before(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    keys = SigningKeys.load(path, clock=clock)
    watch = KeyWatch(path, keys, read_keys)
    tokens = AccessTokens(keys, issuer="https://i", audience="a", clock=clock)
    old = token_of(tokens)
    kid = tokens.verify(old).kid
    turn(path, clock, announce=0)
    retire(path, kid, now=clock())
    tokens.verify(old)
    watch.look()
    with pytest.raises(AccessTokenRejected):
        tokens.verify(old)
    tokens.verify(token_of(tokens))


def test_the_only_active_key_stays_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    (first,) = map(kid_of, read_entries(path))
    turn(path, clock)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="only key in force"):
        retire(path, first, now=clock())
    with pytest.raises(KeyFileError, match="has no key unheard"):
        retire(path, "unheard", now=clock())
    assert path.read_bytes() == before


def test_what_the_old_key_sealed_opens_until_it_is_retired(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path, "A256GCM")
    sealed = EncryptionKeys.load(path, clock=clock).seal(b"secret", context=b"")
    turn(path, clock)
    clock.forward(10**9)
    keys = EncryptionKeys.load(path, clock=clock)
    assert keys.active.kid != sealed.key_id
    assert keys.open(sealed.key_id, sealed.box, context=b"") == b"secret"
    retire(path, sealed.key_id, now=clock())
    with pytest.raises(SealBroken):
        EncryptionKeys.load(path, clock=clock).open(sealed.key_id, sealed.box, context=b"")


def test_when_every_key_has_ended_nothing_is_loaded_and_what_runs_says_so_by_its_tokens(
    tmp_path: Path,
) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    rewrite(path, lambda entries: [{**entries[0], "exp": int(clock().timestamp()) + 60}])
    keys = SigningKeys.load(path, clock=clock)
    tokens = AccessTokens(keys, issuer="https://i", audience="a", clock=clock)
    clock.forward(61)
    with pytest.raises(AccessTokenRejected):
        tokens.verify(token_of(tokens))
    with pytest.raises(KeyFileError, match="no key in force"):
        SigningKeys.load(path, clock=clock)


def test_no_key_signs_what_outlives_it_however_rotations_follow_one_another(tmp_path: Path) -> None:
    for announced in ([600, 600], [600, 0], [0, 0, 0], [600, 300, 0], [0, 600, 600, 0]):
        clock, path = MovableClock(), file_of(tmp_path / str(announced))
        for seconds in announced:
            turn(path, clock, announce=seconds)
        keys = SigningKeys.load(path, clock=clock)
        for _ in range(250):
            active = keys.active
            left = None if active.times.ends is None else active.times.ends - clock().timestamp()
            assert left is None or left >= LIFETIME, announced
            clock.forward(60)
        assert active.times.ends is None


def test_a_file_that_was_too_open_is_read_once_it_is_mended(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    keys = SigningKeys.load(path, clock=clock)
    watch = KeyWatch(path, keys, read_keys)
    turn(path, clock)
    path.chmod(0o644)
    watch.look()
    assert len(keys.all()) == 1
    path.chmod(0o600)
    watch.look()
    assert len(keys.all()) == 2


def test_of_commands_at_the_same_moment_none_loses_the_key_of_another(tmp_path: Path) -> None:
    clock, path = MovableClock(), file_of(tmp_path)
    with ThreadPoolExecutor(8) as commands:
        made = set(commands.map(lambda _: turn(path, clock), range(16)))
    assert {kid_of(entry) for entry in read_entries(path)} > made
    assert len(made) == 16
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_a_command_that_died_is_told_of_and_waited_for_no_longer_than_it_takes(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    (tmp_path / ".keys.json.lock").touch()
    with pytest.raises(KeyFileError, match=r"\.keys\.json\.lock says"):
        rewrite(path, list, patience=0.1)


def test_a_change_that_leaves_nothing_or_fails_changes_nothing(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="left without a key"):
        rewrite(path, lambda _: [])
    with pytest.raises(TypeError):
        rewrite(path, lambda entries: [{**entries[0], "exp": object()}])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("broken", ["", "{}", "gone"])
def test_a_file_that_cannot_be_read_leaves_the_keys_as_they_are_and_is_logged(
    tmp_path: Path, broken: str, log: io.StringIO
) -> None:
    path = file_of(tmp_path)
    keys = SigningKeys.load(path)
    watch = KeyWatch(path, keys, read_keys)
    kid = keys.active.kid
    if broken == "gone":
        path.unlink()
    else:
        path.write_text(broken)
    watch.look()
    watch.look()
    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["keys.unreadable"]
    assert keys.active.kid == kid


async def test_a_worker_follows_a_rotated_file_by_itself(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    keys = SigningKeys.load(path)
    watch = KeyWatch(path, keys, read_keys, seconds=0.01)
    await watch.close()
    await watch.start()
    kid = rotate(path, now=datetime.now(UTC) - timedelta(seconds=1), lifetime_seconds=60, announce_seconds=0)
    async with asyncio.timeout(10):
        while keys.active.kid != kid:  # noqa: ASYNC110 - the watch is waited for
            await asyncio.sleep(0.01)
    await watch.close()
    assert json.loads(path.read_text())["keys"][1]["nbf"]
