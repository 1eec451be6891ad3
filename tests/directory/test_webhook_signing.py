"""Signatures of Standard Webhooks: the published example, and how a secret is shown."""

import base64

import pytest

from tenantry.directory.webhooks.signing import new_signing_secret, shown, signatures

# The example of the specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_is_signed_as_published() -> None:
    assert signatures([KEY], message_id=MESSAGE, timestamp=1_614_265_330, body=BODY) == SIGNED


@pytest.mark.parametrize(
    ("message_id", "timestamp", "body"),
    [
        ("msg_p5jXN8AQM9LWM0D4loKWxJeK", 1_614_265_330, BODY),
        (MESSAGE, 1_614_265_331, BODY),
        (MESSAGE, 1_614_265_330, b'{"test":2432232314}'),
    ],
)
def test_whatever_is_another_is_signed_otherwise(message_id: str, timestamp: int, body: bytes) -> None:
    assert signatures([KEY], message_id=message_id, timestamp=timestamp, body=body) != SIGNED


def test_several_keys_sign_in_their_order_with_spaces_between() -> None:
    other = bytes(32)
    both = signatures([other, KEY], message_id=MESSAGE, timestamp=1_614_265_330, body=BODY).split(" ")
    assert len(both) == 2
    assert both[1] == SIGNED
    assert both[0].startswith("v1,")
    assert both[0] != SIGNED


def test_a_secret_is_256_random_bits_shown_as_the_specification_has_it() -> None:
    assert shown(KEY) == SECRET
    first, second = new_signing_secret(), new_signing_secret()
    assert len(first) == 32
    assert first != second
    assert base64.b64decode(shown(first).removeprefix("whsec_")) == first
