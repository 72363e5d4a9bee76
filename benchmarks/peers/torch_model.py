"""Defines the network in torch and a loop that completes a batch of prompts, which peers serve.

It runs in a peer's own environment and imports torch and nothing of this project. `BENCHMARK_DATA` is the
folder with the weights.
"""

import json
import os
from pathlib import Path

import torch
from torch import nn

DATA = Path(os.environ["BENCHMARK_DATA"])


class CharRNN(nn.Module):
    """Embedding, LSTM, output; names as in the saved weights."""

    def __init__(self, num_inputs: int, num_outputs: int, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_inputs, embedding)
        self.rnn = nn.LSTM(embedding, hidden, layers)
        self.output = nn.Linear(hidden, num_outputs)


class Completer:
    """Completes prompts, one batch at a time."""

    def __init__(self) -> None:
        facts = json.loads((DATA / "facts.json").read_text())
        self.characters: list[str] = facts["characters"]
        self.ids = {character: i for i, character in enumerate(self.characters)}
        self.model = CharRNN(*facts["sizes"]).eval()
        self.model.load_state_dict(torch.load(DATA / "weights.pt"))

    @torch.inference_mode()
    def complete(self, requests: list[dict]) -> list[str]:
        """Returns one text per request ("prompt", "max_tokens", "temperature"); prompts have one length."""
        model = self.model
        prompts = torch.tensor([[self.ids[c] for c in r["prompt"]] for r in requests]).T
        temperature = torch.tensor([[r["temperature"]] for r in requests])
        hidden, state = model.rnn(model.embedding(prompts))
        drawn = []
        for _ in range(requests[0]["max_tokens"]):
            probabilities = torch.softmax(model.output(hidden[-1]) / temperature, dim=-1)
            probabilities[:, len(self.characters) :] = 0  # symbols that are not characters
            ids = torch.multinomial(probabilities, 1).T
            drawn.append(ids)
            hidden, state = model.rnn(model.embedding(ids), state)
        return ["".join(self.characters[i] for i in row) for row in torch.cat(drawn).T.tolist()]
