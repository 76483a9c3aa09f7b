import copy
import json
import logging
import pickle
import traceback

import pytest

from gateways.secret import Secret, redact

TEXT = "sk_very_private"


@pytest.mark.parametrize("shown", [repr, str, lambda s: f"{s}", lambda s: f"{s!r:>40}", lambda s: repr([s])])
def test_every_way_of_printing_shows_the_mask(shown):
    assert TEXT not in shown(Secret(TEXT))


@pytest.mark.parametrize(
    "leak",
    [
        json.dumps,
        lambda secret: json.dumps({"key": secret}),
        pickle.dumps,
        lambda secret: "Bearer " + secret,
        lambda secret: "".join([secret]),
        hash,
        vars,
        lambda secret: bytes(secret),
    ],
)
def test_what_would_leak_it_fails_instead(leak):
    with pytest.raises(TypeError) as refused:
        leak(Secret(TEXT))
    assert TEXT not in "".join(traceback.format_exception(refused.value))


def test_logging_it_shows_the_mask(caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").debug("settings %s", {"api_key": Secret(TEXT)})
    assert TEXT not in caplog.text


def test_it_is_revealed_on_purpose_only_and_compares_equal():
    secret = Secret(TEXT)
    assert secret.reveal() == TEXT
    assert secret == Secret(TEXT)
    assert secret != TEXT
    assert not Secret("")
    assert copy.deepcopy({"key": secret})["key"] is secret


def test_it_is_made_from_text():
    with pytest.raises(TypeError):
        Secret(Secret(TEXT))


def test_redaction_takes_the_longest_secret_first():
    text = redact("abc abcdef ghi", [Secret("abc"), Secret("abcdef"), Secret("")])
    assert "abc" not in text
    assert "def" not in text
    assert text.endswith("ghi")
