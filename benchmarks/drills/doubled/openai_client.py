"""Feeds sessions by OpenAI's client, inside its own environment; writes the ledger to standard output.

python -m benchmarks.drills.doubled.openai_client PLAN MODEL URL URL
"""

import asyncio
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

import openai

from benchmarks.drills.doubled.ledger import Gone, Ledger, Plan, Refused, Unknown, feed_all

_GONE = (404, 410)


class _OpenAIDoor:
    """One session as OpenAI's client calls it, with its default retries, on two servers in turn.

    Half of the feeds name no revision, as those of somebody who has not read about it. One that may be done
    already names it always, as docs/sessions.md says.
    """

    def __init__(self, clients: Sequence[openai.AsyncOpenAI], model: str, draw: Random) -> None:
        self._clients, self._model, self._draw = clients, model, draw
        self._id = ""

    @property
    def _client(self) -> openai.AsyncOpenAI:
        return self._draw.choice(self._clients)

    async def begin(self) -> str:
        self._id = f"openai-{self._draw.getrandbits(128):032x}"
        body = {"model": self._model, "session_id": self._id}
        try:
            with _outcomes():
                await self._client.post("/sessions", cast_to=object, body=body)
        except Unknown as error:
            if error.code != "session_exists":  # else a retry was refused, since the first try was done
                raise Refused(error.code) from error
        return self._id

    async def feed(self, piece: str, revision: int, *, again: bool) -> int:
        fields: dict[str, Any] = {"session_id": self._id}
        if again or self._draw.random() < 0.5:
            fields["if_revision"] = revision
        with _outcomes():
            answer: Any = await self._client.completions.create(
                model=self._model, prompt=piece, max_tokens=0, extra_body=fields
            )
        found: int = answer.revision
        return found

    async def look(self) -> int:
        with _outcomes():
            answer: Any = await self._client.get(f"/sessions/{self._id}", cast_to=object)
        found: int = answer["revision"]
        return found


@contextmanager
def _outcomes() -> Generator[None]:
    try:
        yield
    except openai.APIStatusError as error:
        code = error.code or f"status {error.status_code}"
        if error.status_code in _GONE:
            raise Gone(code) from error
        if error.status_code == 500 or code in ("session_moved", "session_exists"):
            raise Unknown(code) from error
        raise Refused(code) from error
    except openai.APIConnectionError as error:
        raise Unknown(type(error).__name__) from error


async def main(plan: Plan, model: str, urls: Sequence[str]) -> Ledger:
    ledger = Ledger()
    clients = [openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") for url in urls]
    doors = [_OpenAIDoor(clients, model, plan.random(-1 - number)) for number in range(plan.num_sessions)]
    await feed_all(plan, doors, ledger)
    for client in clients:
        await client.close()
    return ledger


if __name__ == "__main__":
    print(asyncio.run(main(Plan(**json.loads(sys.argv[1])), sys.argv[2], sys.argv[3:])).dumped())
