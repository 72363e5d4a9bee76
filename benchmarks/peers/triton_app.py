"""Serves with Triton through PyTriton and its dynamic batcher; onnxruntime runs the ONNX LSTM operator.

No package for this platform has Triton's own onnxruntime backend, so the model runs in its Python backend,
one batch of completions at a time.
"""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

DATA = Path(os.environ["BENCHMARK_DATA"])
facts = json.loads((DATA / "facts.json").read_text())
characters = facts["characters"]
ids_of = {character: i for i, character in enumerate(characters)}
_, _, _, hidden, layers = facts["sizes"]
session = ort.InferenceSession(str(DATA / "model.onnx"), providers=["CPUExecutionProvider"])
rng = np.random.default_rng()


@batch
def complete(prompt: np.ndarray, max_tokens: np.ndarray, temperature: np.ndarray) -> dict[str, np.ndarray]:
    texts = [value.decode() for value in prompt[:, 0]]
    ids = np.array([[ids_of[c] for c in text] for text in texts])
    states = [np.zeros((layers, len(ids), hidden), dtype=np.float32) for _ in range(2)]
    drawn = []
    for _ in range(int(max_tokens[0, 0])):
        logits, *states = session.run(None, {"ids": ids, "h": states[0], "c": states[1]})
        logits = logits[:, -1, : len(characters)] / temperature
        cumulative = np.cumsum(np.exp(logits - logits.max(axis=1, keepdims=True)), axis=1)
        ids = (cumulative > rng.random((len(ids), 1)) * cumulative[:, -1:]).argmax(axis=1)[:, None]
        drawn.append(ids)
    rows = np.concatenate(drawn, axis=1).tolist()
    return {"text": np.array([["".join(characters[i] for i in row).encode()] for row in rows])}


port = int(os.environ["PORT"])
config = TritonConfig(
    http_address="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2, log_verbose=0
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="peer",
        infer_func=complete,
        inputs=[
            Tensor(name="prompt", dtype=bytes, shape=(1,)),
            Tensor(name="max_tokens", dtype=np.int32, shape=(1,)),
            Tensor(name="temperature", dtype=np.float32, shape=(1,)),
        ],
        outputs=[Tensor(name="text", dtype=bytes, shape=(1,))],
        config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=50_000)),
    )
    triton.serve()
