"""Runs the commands that the page gives to copy; each returns the text that was drawn."""

import json
import re
import shlex
import subprocess

from support.tools import tool_program, tool_python


def drawn_by_curl(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "[DONE]" in done.stdout
    return joined(re.findall(r'"text":("(?:[^"\\]|\\.)*")', done.stdout))


def drawn_by_python(program: str) -> str:
    command = [tool_python("openai"), "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def drawn_by_grpcurl(command: str) -> str:
    program = tool_program("grpcurl", "grpcurl")
    command = command.replace("grpcurl", shlex.quote(str(program)), 1)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return joined(re.findall(r'"text": ("(?:[^"\\]|\\.)*")', done.stdout))


def joined(pieces: list[str]) -> str:
    return "".join(json.loads(piece) for piece in pieces)
