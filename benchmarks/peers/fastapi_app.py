"""Serves with plain FastAPI and torch: a thread per request, no batching, as a first script does."""

import os

import uvicorn
from fastapi import FastAPI
from torch_model import Completer

app, completer = FastAPI(), Completer()


@app.post("/complete")
def complete(request: dict) -> dict:
    return {"text": completer.complete([request])[0]}


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
