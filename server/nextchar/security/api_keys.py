"""Reads and makes API keys: a file of records, one JSON object per line, and the ring of valid keys.

    {"id": "3vJ0c2aQ", "owner": "team-a", "scopes": ["infer"], "sha256": "9f86d0…"}

A key is `nck-<id>-<secret>`. The secret has 256 random bits, so that one SHA-256 of the key is as hard to
invert as any slow hash; the file never holds the key. Blank lines and lines that begin with # are skipped.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from nextchar.errors import AuthenticationFailed, SettingsInvalid
from nextchar.schemas.limits import MAX_PRIORITY, MIN_PRIORITY
from nextchar.security.budgets import Allowance, Budget
from nextchar.security.operator_file import read_text
from nextchar.security.principal import Principal, Scope

_PREFIX = "nck"
_ID_CHARS, _SECRET_BYTES = 8, 32
_MAX_KEY_CHARS = 200
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"
_MISSING = "this server requires an API key: send Authorization: Bearer <key>, or X-API-Key"
_INVALID = "the API key is unknown, or has been withdrawn"


class KeyRecord(BaseModel):
    """Holds what the file says of one key."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    id: str = Field(pattern=r"^[0-9A-Za-z]{1,64}$")
    owner: str = Field(min_length=1, max_length=128)
    scopes: frozenset[Scope] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    expires: AwareDatetime | None = None
    max_lanes: int | None = Field(None, ge=1)
    requests_per_second: float | None = Field(None, gt=0, allow_inf_nan=False)
    chars_per_second: float | None = Field(None, gt=0, allow_inf_nan=False)
    best_priority: int = Field(0, ge=MIN_PRIORITY, le=MAX_PRIORITY)

    @field_validator("owner")
    @classmethod
    def _printable(cls, owner: str) -> str:
        if not owner.isprintable():
            raise ValueError("has characters that cannot be printed")
        return owner

    @property
    def line(self) -> str:
        """The record as a line of the file."""
        return self.model_dump_json(exclude_defaults=True)


def make_key(owner: str, scopes: Iterable[Scope], **fields: Any) -> tuple[str, KeyRecord]:
    """Makes a new key and its record; `fields` are other fields of the record."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
    key = f"{_PREFIX}-{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"
    return key, KeyRecord(id=key_id, owner=owner, scopes=frozenset(scopes), sha256=_digest(key), **fields)


def read_records(path: Path) -> list[KeyRecord]:
    """Reads the records of a file.

    Raises:
        SettingsInvalid: the file cannot be read, a line is not a record, or two records have one id.
    """
    lines = read_text(path, "api_keys_file").splitlines()
    records: dict[str, KeyRecord] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        record = _record(line, f"api_keys_file: line {number} of {str(path)!r}")
        if record.id in records:
            raise SettingsInvalid(f"api_keys_file: {str(path)!r} has two keys with the id {record.id!r}")
        records[record.id] = record
    return list(records.values())


def _record(line: str, where: str) -> KeyRecord:
    try:
        return KeyRecord.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise SettingsInvalid(f"{where}: {field + ': ' if field else ''}{first['msg']}") from None


class KeyRing:
    """Holds the valid keys and finds their principals."""

    def __init__(self, records: Iterable[KeyRecord], *, max_lanes: int | None = None) -> None:
        """Takes the first records; `max_lanes` is for keys whose records have none."""
        self._max_lanes = max_lanes
        self._records: dict[str, KeyRecord] = {}
        self._principals: dict[str, Principal] = {}
        self.replace(records)

    def __len__(self) -> int:
        return len(self._records)

    def replace(self, records: Iterable[KeyRecord]) -> None:
        """Replaces all keys. A key whose record is unchanged keeps its principal, and with it its budget."""
        new = {record.id: record for record in records}
        self._principals = {
            key_id: self._principals[key_id]
            if self._records.get(key_id) == record
            else self._principal(record)
            for key_id, record in new.items()
        }
        self._records = new

    def find(self, key: str | None) -> Principal:
        """Authenticates a key and returns its principal.

        Raises:
            AuthenticationFailed: the key is missing, unknown or expired.
        """
        if not key:
            raise AuthenticationFailed(_MISSING, code="missing_api_key")
        digest = _digest(key[:_MAX_KEY_CHARS])
        found = re.fullmatch(rf"{_PREFIX}-([0-9A-Za-z]+)-.*", key[:_MAX_KEY_CHARS], re.DOTALL)
        record = self._records.get(found[1]) if found else None
        # An unknown id takes as long as a known one with a wrong secret.
        if not hmac.compare_digest(digest, record.sha256 if record else _NO_DIGEST) or record is None:
            raise AuthenticationFailed(_INVALID)
        if record.expires is not None and record.expires.timestamp() <= time.time():
            raise AuthenticationFailed(f"the API key {record.id} has expired", code="expired_api_key")
        return self._principals[record.id]

    def _principal(self, record: KeyRecord) -> Principal:
        allowance = Allowance(
            record.max_lanes or self._max_lanes, record.requests_per_second, record.chars_per_second
        )
        budget = Budget(allowance, key_id=record.id)
        return Principal(record.id, record.owner, record.scopes, budget, record.best_priority)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


_NO_DIGEST = "0" * 64
