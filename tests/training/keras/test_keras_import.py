"""`nextchar import` writes a model that is served, of what Keras saves."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from training.foreign.imported import import_model, served_logprobs
from training.foreign.makers import CHARS, TEXT

# Trains nothing: writes models of each kind in both formats, with log p of a text by Keras itself.
_KERAS = """
import json, os, sys, warnings
os.environ["KERAS_BACKEND"] = "torch"
warnings.simplefilter("ignore")
import keras, torch
chars, text = json.loads(sys.argv[1])
keras.utils.set_random_seed(0)
kinds = {"rnn": ("SimpleRNN", {}), "relu": ("SimpleRNN", {"activation": "relu"}), "lstm": ("LSTM", {}),
         "gru": ("GRU", {}), "gru-reset-first": ("GRU", {"reset_after": False})}
ids = [chars.index(c) for c in chars[0] + text]
expected = {}
for name, (kind, options) in kinds.items():
    layers = [getattr(keras.layers, kind)(24, return_sequences=True, **options) for _ in range(2)]
    model = keras.Sequential([keras.Input((None,)), keras.layers.Embedding(len(chars), 16), layers[0],
                              keras.layers.Dropout(0.1), layers[1], keras.layers.Dense(len(chars))])
    model.save(f"{name}.keras")
    model.save(f"{name}.h5")
    logprobs = model(torch.tensor([ids[:-1]]))[0].detach().cpu().double().log_softmax(-1)
    expected[name] = [logprobs[k, ids[k + 1]].item() for k in range(len(text))]
window = keras.Sequential([keras.Input((40, len(chars))), keras.layers.LSTM(24),
                           keras.layers.Dense(len(chars), activation="softmax")])
window.save("window.keras")
softmax = keras.layers.Activation("softmax")
parts = [keras.layers.LSTM(24), keras.layers.Dense(len(chars)), softmax]
keras.Sequential([keras.Input((40, len(chars))), *parts]).save("last.keras")
keras.Sequential([keras.layers.LSTM(24), keras.layers.Dense(len(chars))]).save("unbuilt.keras")
refused = {
    "bidirectional": keras.layers.Bidirectional(keras.layers.LSTM(8, return_sequences=True)),
    "normalised": keras.layers.LayerNormalization(),
    "sigmoid": keras.layers.LSTM(8, return_sequences=True, activation="sigmoid"),
    "backwards": keras.layers.GRU(8, return_sequences=True, go_backwards=True),
    "activation": keras.layers.Activation("relu"),
    "dense": keras.layers.Dense(8),
}
for name, layer in refused.items():
    keras.Sequential([keras.Input((None,)), keras.layers.Embedding(len(chars), 8),
                      keras.layers.LSTM(8, return_sequences=True), layer,
                      keras.layers.Dense(len(chars))]).save(f"{name}.keras")
json.dump(expected, open("expected.json", "w"))
"""


@pytest.fixture(scope="module")
def keras_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    arguments = json.dumps([CHARS, TEXT])
    subprocess.run([sys.executable, "-c", _KERAS, arguments], cwd=folder, check=True, capture_output=True)
    (folder / "symbols.json").write_text(json.dumps(CHARS))
    return folder


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("kind", ["rnn", "relu", "lstm", "gru", "gru-reset-first"])
def test_a_keras_model_is_served_as_keras_computes(
    keras_models: Path, tmp_path: Path, kind: str, suffix: str
) -> None:
    result = import_model(keras_models, f"{kind}.{suffix}", tmp_path)
    assert result.exit_code == 0, result.output
    expected = json.loads((keras_models / "expected.json").read_text())[kind]
    np.testing.assert_allclose(served_logprobs(tmp_path / kind / "1"), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["window", "last"])
def test_a_keras_model_of_one_hot_windows_is_imported(keras_models: Path, tmp_path: Path, name: str) -> None:
    assert import_model(keras_models, f"{name}.keras", tmp_path).exit_code == 0


def _with_config(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Copies a `.h5` file with another description of its layers."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def test_a_gru_of_keras_that_does_not_say_where_it_resets_resets_first(
    keras_models: Path, tmp_path: Path
) -> None:
    def change(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            layer["config"].pop("reset_after", None)

    _with_config(keras_models / "gru-reset-first.h5", keras_models / "old.h5", change)
    assert import_model(keras_models, "old.h5", tmp_path).exit_code == 0
    expected = json.loads((keras_models / "expected.json").read_text())["gru-reset-first"]
    np.testing.assert_allclose(served_logprobs(tmp_path / "old" / "1"), expected, atol=1e-4)


def test_a_file_of_a_keras_that_is_too_old_is_refused(keras_models: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"] = config["config"]["layers"]

    _with_config(keras_models / "lstm.h5", keras_models / "list.h5", change)
    result = import_model(keras_models, "list.h5", tmp_path)
    assert result.exit_code == 2
    assert "must be of Keras 2.2.3 or newer" in result.stderr


@pytest.mark.parametrize("option", [["--cell", "relu"], ["--tensor", "embedding=embedding"]])
def test_a_file_that_says_what_its_layers_are_takes_no_hints(
    keras_models: Path, tmp_path: Path, option: list[str]
) -> None:
    result = import_model(keras_models, "rnn.keras", tmp_path, *option)
    assert result.exit_code == 2
    assert f"{option[0]} is for PyTorch files" in result.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bidirectional", "is bidirectional"),
        ("normalised", "has layer or batch normalisation"),
        ("sigmoid", "activation must be tanh (is 'sigmoid')"),
        ("backwards", "must read forwards"),
        ("activation", "(has Embedding, LSTM, Activation, Dense)"),
        ("dense", "(has Embedding, LSTM, Dense, Dense)"),
        ("unbuilt", "LSTM must have weights"),
        ("absent", "No such file"),
    ],
)
def test_a_keras_model_that_cannot_be_served_is_refused(
    keras_models: Path, tmp_path: Path, name: str, reason: str
) -> None:
    result = import_model(keras_models, f"{name}.keras", tmp_path / "models")
    assert result.exit_code == 2
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "models").exists()
