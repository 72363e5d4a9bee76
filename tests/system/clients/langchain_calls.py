"""Runs inside LangChain's own environment: what its OpenAI model gets, as JSON on standard output.

python langchain_calls.py URL
"""

import asyncio
import json
import sys
from typing import Any

import openai
from langchain_core.prompts import PromptTemplate
from langchain_openai import OpenAI

DRAWN: dict[str, Any] = {"max_tokens": 40, "seed": 3, "temperature": 0.8, "top_p": 0.95}


def model(name: str = "tiny", **fields: Any) -> OpenAI:
    return OpenAI(model=name, base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0, **(DRAWN | fields))


async def asynchronous() -> dict[str, Any]:
    llm = model()
    return {
        "whole": await llm.ainvoke("ab"),
        "streamed": "".join([part async for part in llm.astream("ab")]),
    }


def refused() -> list[Any]:
    try:
        model("none").invoke("a")
    except openai.NotFoundError as error:
        return [error.status_code, error.code]
    return ["nothing"]


def main() -> None:
    generated = model().generate(["ab", "c"], stop=["zz"])
    chain = PromptTemplate.from_template("{start}b") | model()
    answer = {
        "whole": model().invoke("ab"),
        "stopped": model().invoke("ab", stop=["e"]),
        "chain": chain.invoke({"start": "a"}),
        "streamed": "".join(model().stream("ab")),
        "batch": [generation[0].text for generation in generated.generations],
        "usage": generated.llm_output["token_usage"],
        "several": [g.text for g in model(n=2, best_of=2).generate(["ab"]).generations[0]],
        "asynchronous": asyncio.run(asynchronous()),
        "no_model": refused(),
    }
    print(json.dumps(answer))


main()
