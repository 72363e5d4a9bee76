"""Runs inside the openai SDK's own environment: what its client gets, as JSON on standard output.

python openai_calls.py URL
"""

import asyncio
import inspect
import json
import sys
from typing import Any

import openai

PARAMETERS: dict[str, Any] = {
    "best_of": 3,
    "echo": True,
    "frequency_penalty": 0.5,
    "logit_bias": {"5": 2},
    "logprobs": 2,
    "max_tokens": 12,
    "n": 2,
    "presence_penalty": 0.5,
    "seed": 7,
    "stop": ["q", "zz"],
    "temperature": 0.8,
    "top_p": 0.95,
    "user": "somebody",
    "extra_body": {"top_k": 10, "min_p": 0.01, "repetition_penalty": 1.1},
}


def streamed(client: openai.OpenAI) -> dict[str, Any]:
    stream = client.completions.create(
        model="tiny", prompt="ab", max_tokens=40, seed=3, stream=True, stream_options={"include_usage": True}
    )
    text, finish, usage = "", None, None
    for event in stream:
        for choice in event.choices:
            text += choice.text
            finish = choice.finish_reason or finish
        usage = event.usage.model_dump(exclude_none=True) if event.usage else usage
    return {"text": text, "finish_reason": finish, "usage": usage}


async def streamed_asynchronously(url: str) -> dict[int, str]:
    """The texts of a stream of several, by index."""
    texts: dict[int, str] = {}
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        stream = await client.completions.create(
            model="tiny", prompt=["ab", "c"], n=2, max_tokens=40, seed=3, stop="zz", stream=True
        )
        async for event in stream:
            for choice in event.choices:
                texts[choice.index] = texts.get(choice.index, "") + choice.text
    return texts


def refusals(client: openai.OpenAI) -> dict[str, list[Any]]:
    """The SDK's own exception classes, by what went wrong."""
    calls: dict[str, dict[str, Any]] = {
        "temperature": {"model": "tiny", "temperature": 3},
        "suffix": {"model": "tiny", "suffix": "x"},
        "unknown field": {"model": "tiny", "extra_body": {"no_such_field": 1}},
        "model": {"model": "none"},
        "too long": {"model": "tiny", "prompt": "a" * 70_000},
    }
    found = {}
    for name, arguments in calls.items():
        try:
            client.completions.create(**{"prompt": "a", **arguments})
        except openai.APIStatusError as error:
            found[name] = [type(error).__name__, error.status_code, error.code, error.param, error.type]
    return found


def main() -> None:
    client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
    whole = client.completions.create(model="tiny", prompt=["ab", "c"], **PARAMETERS)
    by_ids = client.completions.create(model="tiny", prompt=[[3, 4], [5]], max_tokens=5, seed=1)
    scored = client.completions.create(model="tiny", prompt="hello", max_tokens=0, echo=True, logprobs=1)
    answer = {
        "models": [model.id for model in client.models.list()],
        "model": client.models.retrieve("tiny").id,
        "whole": whole.model_dump(exclude_none=True),
        "by_ids": [choice.text for choice in by_ids.choices],
        "scored": scored.choices[0].logprobs.model_dump(),
        "streamed": streamed(client),
        "asynchronous": asyncio.run(streamed_asynchronously(sys.argv[1] + "/v1")),
        "parameters": sorted(inspect.signature(client.completions.create).parameters),
        "given": sorted([*PARAMETERS, "model", "prompt", "stream", "stream_options", "suffix"]),
        "refusals": refusals(client),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
