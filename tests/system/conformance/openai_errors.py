"""Runs inside the openai SDK's own environment: what its client raises, as JSON on standard output.

python openai_errors.py < CASES: JSON, for each name where to ask, with which key, and for what.
"""

import json
import sys
from typing import Any

import openai

came: list[str] = []  # of the stream that was asked for last


def asked(case: dict[str, Any]) -> list[str]:
    """What came until the error, or until the end."""
    client = openai.OpenAI(
        base_url=case["url"] + "/v1",
        api_key=case.get("key", "none"),
        max_retries=0,
        timeout=case.get("timeout", 60),
    )
    answer = client.completions.create(**{"model": "tiny", "prompt": "a", **case["fields"]})
    if not case["fields"].get("stream"):
        return [choice.text for choice in answer.choices]
    came.clear()
    came.extend(event.choices[0].text for event in answer)
    return came


def raised(case: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"came": asked(case)}
    except openai.APIError as error:
        response = getattr(error, "response", None)
        return {
            "kind": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": error.code,
            "type": error.type,
            "retry_after": None if response is None else response.headers.get("retry-after"),
            "message": error.message,
            "came": len(came),
        }


print(json.dumps({name: raised(case) for name, case in json.load(sys.stdin).items()}))
