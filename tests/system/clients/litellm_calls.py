"""Runs inside LiteLLM's own environment: what it gets and raises, as JSON on standard output.

python litellm_calls.py URL
"""

import asyncio
import json
import sys
from typing import Any

import litellm

litellm.suppress_debug_info = True  # or it prints advice on standard output
ASKED: dict[str, Any] = {
    "model": "text-completion-openai/tiny",
    "api_base": sys.argv[1] + "/v1",
    "api_key": "none",
    "max_retries": 0,
    "num_retries": 0,
}
DRAWN: dict[str, Any] = {"max_tokens": 40, "seed": 3, "temperature": 0.8, "top_p": 0.95, "stop": ["zz"]}


def texts(answer: Any) -> list[str]:
    return [choice.text for choice in answer.choices]


def streamed() -> str:
    parts = litellm.text_completion(prompt="ab", stream=True, **DRAWN, **ASKED)
    return "".join(part.choices[0].text or "" for part in parts)


async def asynchronous() -> list[str]:
    return texts(await litellm.atext_completion(prompt="ab", **DRAWN, **ASKED))


def raised(**fields: Any) -> list[Any]:
    try:
        litellm.text_completion(**{"prompt": "a", **ASKED, **fields})
    except Exception as error:  # noqa: BLE001 - which class it raises is the question
        return [type(error).__name__, getattr(error, "status_code", None), str(error)]
    return ["nothing"]


def main() -> None:
    scored = litellm.text_completion(prompt="hello", max_tokens=1, echo=True, logprobs=1, **ASKED)
    logprobs = scored.choices[0].logprobs
    answer = {
        "whole": texts(litellm.text_completion(prompt="ab", n=2, **DRAWN, **ASKED)),
        "of_many": texts(litellm.text_completion(prompt=["ab", "c"], **DRAWN, **ASKED)),
        "beyond": texts(litellm.text_completion(prompt="ab", extra_body={"top_k": 3}, **DRAWN, **ASKED)),
        "logprobs": dict(logprobs)["token_logprobs"],
        "usage": scored.usage.prompt_tokens,
        "streamed": streamed(),
        "asynchronous": asyncio.run(asynchronous()),
        "no_model": raised(model="text-completion-openai/none"),
        "wrong": raised(temperature=3),
    }
    print(json.dumps(answer))


main()
