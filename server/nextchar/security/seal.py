"""Seals content so that only this server's key can have made it, for one owner and one model or judge.

    magic 4 | of what 8 | key 4 | MAC 16 | content

The MAC (HMAC-SHA256 with the server's key, cut to 128 bits) is over the owner, the digest of what the content
is of, and the content. So bytes that were changed, cut off, or made for another owner or model are refused
before any of them is parsed. `of what` is the beginning of a hash of that digest, `key` that of the key's
mark: they tell content of another model, or one that was sealed with another key, from a damaged one.
"""

import hashlib
import hmac
import json
from collections.abc import Collection

from nextchar.errors import StateInvalid, StateModelMismatch
from nextchar.security.state_key import key_mark

_MAGIC_BYTES, _HASH_BYTES, _KEY_BYTES, _MAC_BYTES = 4, 8, 4, 16
_HASH_END = _MAGIC_BYTES + _HASH_BYTES
_KEY_END = _HASH_END + _KEY_BYTES
_MAC_END = _KEY_END + _MAC_BYTES


class Seal:
    """Seals and opens content with one key."""

    def __init__(self, key: bytes) -> None:
        self._key, self._key_mark = key, key_mark(key)[:_KEY_BYTES]

    def close(self, content: bytes, *, magic: bytes, owner: str, digest: str) -> bytes:
        """Returns sealed content of what has a digest; `magic` are 4 bytes that name its format."""
        return magic + _hash(digest) + self._key_mark + self._mac(content, owner, digest) + content

    def open(self, sealed: bytes, *, magics: Collection[bytes], owner: str, digest: str, of: str) -> bytes:
        """Returns the content of bytes that `close` made for the same owner and digest.

        Args:
            sealed: The bytes, which may be anything.
            magics: Those of the formats that are taken.
            owner: For whom they must have been made.
            digest: Of what they must be of.
            of: What that is, in errors: "model".

        Raises:
            StateModelMismatch: they were made for another digest.
            StateInvalid: they are anything else.
        """
        mac, content = sealed[_KEY_END:_MAC_END], sealed[_MAC_END:]
        if sealed[:_MAGIC_BYTES] not in magics or len(mac) < _MAC_BYTES:
            whose = "nextchar" if of == "model" else f"a {of}"
            raise StateInvalid(f"state is not a state of {whose}, or has another format", param="state")
        if not made_for(sealed, digest):
            raise StateModelMismatch(
                f"state was made for another {of}, or another version of it", param="state"
            )
        if sealed[_HASH_END:_KEY_END] != self._key_mark:
            raise StateInvalid(
                "state was sealed with another key: servers that share states need the same state_key",
                param="state",
            )
        if not hmac.compare_digest(mac, self._mac(content, owner, digest)):
            raise StateInvalid("state is damaged, or was made for another owner", param="state")
        return content

    def _mac(self, content: bytes, owner: str, digest: str) -> bytes:
        bound = json.dumps([owner, digest]).encode() + b"\0"
        return hmac.new(self._key, bound + content, hashlib.sha256).digest()[:_MAC_BYTES]


def made_for(sealed: bytes, digest: str) -> bool:
    """Returns whether bytes name the model, or the judge, with a digest as theirs."""
    return sealed[_MAGIC_BYTES:_HASH_END] == _hash(digest)


def _hash(digest: str) -> bytes:
    return hashlib.sha256(digest.encode()).digest()[:_HASH_BYTES]
