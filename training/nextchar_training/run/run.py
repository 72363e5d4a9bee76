"""Runs a training run from its first batch to its report: the training loop."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nextchar.model.card import Quality
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.factory import make_batches
from nextchar_training.config import TrainingConfig
from nextchar_training.measure.development import Development, calibrated
from nextchar_training.measure.figures import NGRAM, baseline_quality, final_quality
from nextchar_training.network.described import DescribedNetwork
from nextchar_training.network.grown import grow
from nextchar_training.network.network import CharRNN, ModelConfig, num_parameters
from nextchar_training.option import describe_options
from nextchar_training.page.progress import Reporter, Row, forget_after, read_history
from nextchar_training.page.run_page import write_report
from nextchar_training.page.samples import forget_after as forget_samples_after
from nextchar_training.page.samples import keep_samples, read_samples
from nextchar_training.page.surprise import heldout_surprise
from nextchar_training.run.checkpoint import (
    FILE_NAME,
    load_checkpoint,
    save_checkpoint,
    vocabulary_from_dict,
    vocabulary_to_dict,
)
from nextchar_training.run.processes import ProcessGroup
from nextchar_training.run.provenance import describe_run
from nextchar_training.run.schedule import run_length
from nextchar_training.run.step import Trainer
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.preparation import check_same, read_text, vocabulary_of
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import extend_vocabulary

SAVE_INTERVAL_S = 300.0
NUM_ROWS = 200  # rows of the history, spread evenly over the run
HISTORY = "history.jsonl"


class Run:
    """Trains, evaluates, saves and reports one run in its folder."""

    def __init__(
        self,
        directory: Path,
        config: TrainingConfig,
        command: str,
        group: ProcessGroup | None = None,
        *,
        origin: DescribedNetwork | None = None,
        vocabulary: Vocabulary | None = None,
        text: tuple[Corpus, Split] | None = None,
    ) -> None:
        """Prepares a run; `origin` is the network that it starts from, `vocabulary` that of a resumed run.

        `text` is what the options name, where it has been read already.
        """
        torch.set_num_threads(config.num_threads)
        self.directory, self.config, self.group = directory, config, group or ProcessGroup()
        self.corpus, self.split = text or read_text(config, window=config.window or 1)
        self.vocabulary = vocabulary or self._make_vocabulary(origin)
        self.provenance = describe_run(self.corpus, self.split, config, command)
        batches = make_batches(self.split, self.vocabulary, config)
        length = run_length(config, batches.steps_per_epoch)
        self.trainer = Trainer(config, _model_config(config, self.vocabulary), batches, length, self.group)
        if origin is not None:
            self.trainer.start_from(grow(origin.model, origin.vocabulary, self.vocabulary))
            self.provenance["origin"] = origin.provenance
        self.development = Development(self.split, self.vocabulary) if len(self.split.development) else None
        self.best: dict[str, Any] | None = None
        self.num_without_progress = 0
        self.temperature: float | None = config.softmax_temperature
        self.quality: list[dict[str, Any]] = []

    @classmethod
    def resume(cls, directory: Path, group: ProcessGroup | None = None, device: str | None = None) -> "Run":
        """Loads the run in `directory` from its last checkpoint, by default onto the device it was on.

        Raises:
            ModelFileError: there is no checkpoint.
            CorpusError: its text is missing or has changed.
            InvalidRequest: the device does not support the run's precision.
        """
        saved = load_checkpoint(directory / FILE_NAME)
        recorded = TrainingConfig(**saved["config"])
        config = replace(recorded, device=device or recorded.device)
        vocabulary = vocabulary_from_dict(saved["vocabulary"])
        run = cls(directory, config, saved["provenance"]["command"], group, vocabulary=vocabulary)
        check_same(run.corpus, run.split, saved["provenance"])
        run.trainer.load_state_dict(saved["trainer"])
        if run.group.is_leader:
            forget_after(directory / HISTORY, run.trainer.progress.step_count)
            forget_samples_after(directory, run.trainer.progress.step_count)
        run.provenance, run.best, run.quality = saved["provenance"], saved["best"], saved["quality"]
        run.num_without_progress, run.temperature = saved["num_without_progress"], saved["temperature"]
        return run

    def _make_vocabulary(self, origin: DescribedNetwork | None) -> Vocabulary:
        if origin is None:
            return vocabulary_of(self.split, self.config)
        return extend_vocabulary(origin.vocabulary, self.split, min_count=self.config.min_count)

    @property
    def ended(self) -> bool:
        """Whether the run has reached its length, or its limit of evaluations without progress."""
        patience = self.config.patience
        return self.trainer.fraction >= 1 or bool(patience and self.num_without_progress >= patience)

    def train(self, reporter: Reporter, stopped: Callable[[], bool]) -> bool:
        """Trains to the end or until `stopped()`, and saves; returns whether the end was reached."""
        trainer, progress = self.trainer, self.trainer.progress
        seen: list[tuple[float, float, float]] = []
        started_s, chars_before, saved_s = progress.elapsed_s, progress.num_chars, progress.elapsed_s
        clock = time.monotonic()
        while not self.ended and not self.group.broadcast(stopped()):
            before = trainer.fraction
            seen.append((trainer.step(), trainer.norms.before, trainer.norms.after))
            now = time.monotonic()
            progress.elapsed_s, clock = self.group.broadcast(progress.elapsed_s + now - clock), now
            due, keep = self._passed(before, self.config.evaluations), self._passed(before, NUM_ROWS)
            development = self.evaluate() if due else None
            if due and self.group.is_leader:
                keep_samples(self.directory, progress.step_count, self._average(), self.vocabulary)
            speed = (progress.num_chars - chars_before) / (progress.elapsed_s - started_s)
            if self.group.is_leader:
                reporter.report(self._row(seen, development, speed), keep=due or keep)
            if due or keep:
                seen.clear()
            if due or progress.elapsed_s - saved_s >= SAVE_INTERVAL_S:
                self.save()
                saved_s = progress.elapsed_s
        self.save()
        return self.ended

    def _passed(self, before: float, num_marks: int) -> bool:
        """Returns whether one of `num_marks` marks, spread evenly over the run, was passed."""
        return int(self.trainer.fraction * num_marks) > int(before * num_marks)

    def evaluate(self) -> float | None:
        """Returns the development loss of the averaged weights and keeps the best; None without such text."""
        if self.development is None:
            return None
        average = self.trainer.average
        nats = self.group.broadcast(self.development.loss(average) if self.group.is_leader else 0.0)
        self.num_without_progress += 1
        if self.best is None or nats < self.best["development_nats"]:
            self.num_without_progress = 0
            weights = {name: tensor.clone() for name, tensor in average.state_dict().items()}
            self.best = {
                "development_nats": nats,
                "step": self.trainer.progress.step_count,
                "average": weights,
            }
        return nats

    def measure_start(self) -> float | None:
        """Returns the development loss before the first step, and records it with the run's facts."""
        nats = self.evaluate()
        if nats is not None:
            self.provenance["development_nats_before"] = round(nats, 4)
        return nats

    def _row(self, seen: list[tuple[float, float, float]], development: float | None, speed: float) -> Row:
        trainer, progress = self.trainer, self.trainer.progress
        means = [sum(values) / len(seen) for values in zip(*seen, strict=True)]
        return Row(
            step=progress.step_count,
            epoch=trainer.epoch,
            fraction=trainer.fraction,
            num_chars=progress.num_chars,
            elapsed_s=progress.elapsed_s,
            chars_per_s=speed,
            learning_rate=trainer.learning_rate,
            train_nats=means[0],
            gradient_norm=means[1],
            clipped_norm=means[2],
            development_nats=development,
        )

    def finish(self) -> list[Quality]:
        """Fits the softmax temperature, measures held-out losses beside the baselines', and saves them."""
        if self.group.broadcast(NGRAM not in {entry["name"] for entry in self.quality}):
            if self.group.is_leader:
                self._measure()
            self.save()
        return [Quality(**entry) for entry in self.quality]

    def _measure(self) -> None:
        if self.temperature is None and self.development is not None:
            self.temperature = self.development.best_temperature(self.best_model())
        found = final_quality(self.split, self.vocabulary, self.best_model())
        found += baseline_quality(self.split, self.vocabulary)
        self.quality = [entry.model_dump() for entry in found]

    def _average(self) -> CharRNN:
        """Returns a copy of the averaged network, on the CPU."""
        return copy.deepcopy(self.trainer.average).cpu()

    def best_model(self) -> CharRNN:
        """Returns the average that was best on development text, or the last, at the softmax temperature."""
        model = copy.deepcopy(self.trainer.average)
        if self.best is not None:
            model.load_state_dict(self.best["average"])
        return calibrated(model, self.temperature or 1.0)

    def write_report(self) -> Path:
        """Writes the report of the run so far; returns its path."""
        return write_report(
            self.directory,
            title=f"nextchar: {self.config.name}",
            facts=self.provenance,
            settings=describe_options(self.config),
            rows=read_history(self.directory / HISTORY),
            samples=read_samples(self.directory),
            quality=[Quality(**entry) for entry in self.quality],
            surprise=heldout_surprise(self.best_model().cpu(), self.vocabulary, self.split),
        )

    def save(self) -> None:
        """Writes the checkpoint; every process of the group calls it, and the leader writes."""
        trainer = self.trainer
        content = {
            "config": self.config.to_dict(),
            "model": trainer.model.config.to_dict(),
            "vocabulary": vocabulary_to_dict(self.vocabulary),
            "provenance": self._facts(),
            "best": self.best,
            "num_without_progress": self.num_without_progress,
            "temperature": self.temperature,
            "quality": self.quality,
            "trainer": trainer.state_dict(),
        }
        if self.group.is_leader:
            save_checkpoint(self.directory / FILE_NAME, content)

    def _facts(self) -> dict[str, Any]:
        trainer, progress = self.trainer, self.trainer.progress
        self.provenance |= {
            "steps": progress.step_count,
            "num_chars_seen": progress.num_chars,
            "epochs": round(trainer.epoch, 3),
            "minutes": round(progress.elapsed_s / 60, 2),
            "num_parameters": num_parameters(trainer.model),
            "softmax_temperature": self.temperature or 1.0,
        }
        return self.provenance


def _model_config(config: TrainingConfig, vocabulary: Vocabulary) -> ModelConfig:
    return ModelConfig(
        cell=config.cell,
        num_inputs=vocabulary.num_inputs,
        num_outputs=vocabulary.num_outputs,
        embedding_size=config.embedding_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
    )
