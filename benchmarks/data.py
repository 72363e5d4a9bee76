"""Writes one network to disk, in the format that each server reads."""

import json
from pathlib import Path

import torch

from benchmarks.engine.network import Network, sequence_bytes, step_bytes

MODEL = "peer"


def write_data(network: Network, folder: Path) -> Path:
    """Writes weights for torch, model.onnx, and a models folder for our own server; returns the folder."""
    version = folder / "models" / MODEL / "1"
    version.mkdir(parents=True, exist_ok=True)
    (version / "step-int8.onnx").write_bytes(step_bytes(network, "int8"))
    (folder / "model.onnx").write_bytes(sequence_bytes(network))
    torch.save(network.torch.state_dict(), folder / "weights.pt")
    config = network.torch.config
    facts = {
        "characters": list(network.vocabulary.characters),
        "sizes": [
            config.num_inputs,
            config.num_outputs,
            config.embedding_size,
            config.hidden_size,
            config.num_layers,
        ],
    }
    (folder / "facts.json").write_text(json.dumps(facts))
    return folder
