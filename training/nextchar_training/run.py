"""A training run from its first batch to its report: the loop, in the open."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nextchar.modelfile import Quality
from nextchar.vocabulary import Vocabulary
from nextchar_training.checkpoint import (
    FILE_NAME,
    load_checkpoint,
    save_checkpoint,
    split_for,
    vocabulary_from_dict,
    vocabulary_to_dict,
)
from nextchar_training.corpus import load_corpus
from nextchar_training.development import Development
from nextchar_training.model import CharRNN, ModelConfig
from nextchar_training.progress import Reporter, Row
from nextchar_training.provenance import describe_run
from nextchar_training.report import NGRAM, final_quality
from nextchar_training.schedule import run_length
from nextchar_training.sources import make_batches
from nextchar_training.split import build_vocabulary
from nextchar_training.trainer import Trainer
from nextchar_training.training_config import TrainingConfig

SAVE_INTERVAL_S = 300.0


class Run:
    """A trainer with its text, its folder and its facts."""

    def __init__(self, directory: Path, config: TrainingConfig, command: str) -> None:
        torch.set_num_threads(config.num_threads)
        self.directory, self.config = directory, config
        self.split = split_for(config)
        self.vocabulary = build_vocabulary(
            self.split, min_count=config.min_count, unknown=config.unknown, normalization=config.normalization
        )
        self.provenance = describe_run(load_corpus(config.corpus), self.split, config, command)
        batches = make_batches(self.split, self.vocabulary, config)
        length = run_length(config, batches.steps_per_epoch)
        self.trainer = Trainer(config, _model_config(config, self.vocabulary), batches, length)
        self.development = Development(self.split, self.vocabulary)
        self.best: dict[str, Any] | None = None
        self.quality: list[dict[str, Any]] = []

    @classmethod
    def resume(cls, directory: Path) -> "Run":
        """The run in `directory`, where its last checkpoint left it.

        Raises:
            ModelFileError: there is no checkpoint to resume.
            CorpusError: its text is gone or has changed.
        """
        saved = load_checkpoint(directory / FILE_NAME)
        config = TrainingConfig(**saved["config"])
        split_for(config, sha256=saved["provenance"]["corpus_sha256"])
        run = cls(directory, config, saved["provenance"]["command"])
        assert run.vocabulary == vocabulary_from_dict(saved["vocabulary"])
        run.trainer.load_state_dict(saved["trainer"])
        run.provenance, run.best, run.quality = saved["provenance"], saved["best"], saved["quality"]
        return run

    def train(self, reporter: Reporter, stopped: Callable[[], bool]) -> bool:
        """Train to the end, or until `stopped()`; true if the end was reached. Saves either way."""
        trainer = self.trainer
        losses: list[float] = []
        started_s, chars_before, saved_s = trainer.elapsed_s, trainer.num_chars, trainer.elapsed_s
        clock = time.monotonic()
        while trainer.fraction < 1 and not stopped():
            before = trainer.fraction
            losses.append(trainer.step())
            now = time.monotonic()
            trainer.elapsed_s, clock = trainer.elapsed_s + now - clock, now
            due = self._evaluation_due(before)
            development = self.evaluate() if due else None
            speed = (trainer.num_chars - chars_before) / (trainer.elapsed_s - started_s)
            reporter.report(self._row(losses, development, speed))
            if due:
                losses.clear()
            if due or trainer.elapsed_s - saved_s >= SAVE_INTERVAL_S:
                self.save()
                saved_s = trainer.elapsed_s
        self.save()
        return trainer.fraction >= 1

    def _evaluation_due(self, before: float) -> bool:
        """Whether a mark was passed: marks cut the run into `evaluations` equal parts."""
        marks = self.config.evaluations
        return int(self.trainer.fraction * marks) > int(before * marks)

    def evaluate(self) -> float:
        """Development loss of the averaged weights; the best so far is kept."""
        average = self.trainer.average
        nats = self.development.loss(average)
        if self.best is None or nats < self.best["development_nats"]:
            weights = {name: tensor.clone() for name, tensor in average.state_dict().items()}
            self.best = {"development_nats": nats, "step": self.trainer.step_count, "average": weights}
        return nats

    def _row(self, losses: list[float], development: float | None, speed: float) -> Row:
        trainer = self.trainer
        return Row(
            step=trainer.step_count,
            epoch=trainer.epoch,
            fraction=trainer.fraction,
            num_chars=trainer.num_chars,
            elapsed_s=trainer.elapsed_s,
            chars_per_s=speed,
            learning_rate=trainer.learning_rate,
            train_nats=sum(losses) / len(losses),
            development_nats=development,
        )

    def finish(self) -> list[Quality]:
        """Score the held-out part with the best average, beside the n-gram; saved with the run."""
        names = {entry["name"] for entry in self.quality}
        if NGRAM not in names:
            found = final_quality(self.split, self.vocabulary, self.best_model())
            self.quality = [entry.model_dump() for entry in found]
            self.save()
        return [Quality(**entry) for entry in self.quality]

    def best_model(self) -> CharRNN:
        model = copy.deepcopy(self.trainer.average)
        if self.best is not None:
            model.load_state_dict(self.best["average"])
        return model

    def save(self) -> None:
        trainer = self.trainer
        self.provenance |= {
            "steps": trainer.step_count,
            "num_chars_seen": trainer.num_chars,
            "epochs": round(trainer.epoch, 3),
            "minutes": round(trainer.elapsed_s / 60, 2),
            "num_parameters": sum(p.numel() for p in trainer.model.parameters()),
        }
        content = {
            "config": self.config.to_dict(),
            "model": trainer.model.config.to_dict(),
            "vocabulary": vocabulary_to_dict(self.vocabulary),
            "provenance": self.provenance,
            "best": self.best,
            "quality": self.quality,
            "trainer": trainer.state_dict(),
        }
        save_checkpoint(self.directory / FILE_NAME, content)


def _model_config(config: TrainingConfig, vocabulary: Vocabulary) -> ModelConfig:
    return ModelConfig(
        cell=config.cell,
        num_inputs=vocabulary.num_inputs,
        num_outputs=vocabulary.num_outputs,
        embedding_size=config.embedding_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        dropout=config.dropout,
    )
