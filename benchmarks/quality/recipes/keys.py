"""Generates keys and tokens in the formats of those that leak, with a fixed seed; none opens anything."""

import base64
import json
import random
import string
import uuid
from collections.abc import Callable

_BASE32 = string.ascii_uppercase + "234567"
_LETTERS = string.ascii_letters + string.digits


def keys(number: int, seed: int) -> dict[str, list[str]]:
    """Returns so many keys of each format."""
    found = {}
    for name, make in _FORMATS.items():
        chance = random.Random(f"{seed} {name}")
        found[name] = [make(chance) for _ in range(number)]
    return found


def _drawn(chance: random.Random, characters: str, number: int) -> str:
    return "".join(chance.choices(characters, k=number))


def _hexadecimal(chance: random.Random) -> str:
    return chance.randbytes(chance.choice((16, 20, 32))).hex()


def _base64(chance: random.Random) -> str:
    return base64.b64encode(chance.randbytes(chance.choice((16, 24, 32)))).decode()


def _url_safe(chance: random.Random) -> str:
    return base64.urlsafe_b64encode(chance.randbytes(chance.choice((16, 24, 32)))).decode().rstrip("=")


def _web_token(chance: random.Random) -> str:
    payload = {"sub": str(chance.randrange(10**10)), "iat": chance.randrange(1_600_000_000, 1_800_000_000)}
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}).encode(), json.dumps(payload).encode()]
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, chance.randbytes(32)]]
    return ".".join(encoded)


_FORMATS: dict[str, Callable[[random.Random], str]] = {
    "hex": _hexadecimal,
    "base64": _base64,
    "base64url": _url_safe,
    "UUID": lambda chance: str(uuid.UUID(bytes=chance.randbytes(16), version=4)),
    "letters and digits": lambda chance: _drawn(chance, _LETTERS, chance.randint(16, 40)),
    "lower-case letters": lambda chance: _drawn(chance, string.ascii_lowercase, chance.randint(16, 32)),
    "AWS key id": lambda chance: "AKIA" + _drawn(chance, _BASE32, 16),
    "AWS secret": lambda chance: _drawn(chance, _LETTERS + "+/", 40),
    "GitHub": lambda chance: "gh" + chance.choice("pousr") + "_" + _drawn(chance, _LETTERS, 36),
    "Google API": lambda chance: "AIza" + _drawn(chance, _LETTERS + "-_", 35),
    "Stripe": lambda chance: "sk_" + chance.choice(("live", "test")) + "_" + _drawn(chance, _LETTERS, 24),
    "JWT": _web_token,
}
