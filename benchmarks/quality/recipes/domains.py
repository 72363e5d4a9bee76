"""Generated domains: real ones against names that malware makes, by cross-validation in five folds.

Lists are those of `python -m benchmarks.quality.judging`, and not part of this repository. The KenLM model
is a 6-gram of the text that `domains` was trained on. `dgaintel` is a classifier that was trained on many
of these families, and perhaps on some of these names.
"""

from pathlib import Path

import numpy as np

from benchmarks.quality.entropy import entropies
from benchmarks.quality.judging import domain_lists, family_group
from benchmarks.quality.recipes.environments import Environments
from benchmarks.quality.recipes.trial import Answer, Table, Trial
from nextchar.model.graph import ModelGraph, open_graph
from nextchar_training.judging.evaluation import Condition, evaluate
from nextchar_training.measure.arpa import write_arpa
from nextchar_training.measure.figures import fit_ngram
from nextchar_training.text.heldout import heldout_split

_ORDER = 6  # the longest that KenLM's package is built for
_RATE = 0.01


def measure(folder: Path, environments: Environments, lists: Path, model: Path) -> Table:
    """Fits judges in cross-validation, as `nextchar judge fit` does, and compares them with packages."""
    graph = open_graph(model / "step-int8.onnx")
    normal, families = domain_lists(graph, lists)
    table = Table(Trial(normal.texts, {one.name: one.texts for one in families}))
    strings = table.trial.strings
    table.add("Shannon entropy", Answer(entropies(strings)))
    arpa = _write_ngram(graph, folder / "domains.arpa")
    table.add("KenLM, a 6-gram of the model's text", environments.scores("kenlm", strings, str(arpa)))
    table.add("`dgaintel`", environments.scores("dgaintel", strings))
    bits = [one.statistics.mean for one in (normal, *families)]
    table.add("`nextchar score`, bits per character", Answer(np.concatenate(bits)))
    groups = {one.name: family_group(one.name) for one in families}
    for condition in evaluate(normal, families, graph.vocabulary, groups=groups, say=print):
        table.add(f"judge, {condition.name}", _answer(condition))
    return table


def _answer(condition: Condition) -> Answer:
    p_values = np.concatenate([condition.normal, *condition.kinds.values()])
    return Answer(-np.log(p_values), p_values <= _RATE)


def _write_ngram(graph: ModelGraph, file: Path) -> Path:
    if not file.exists():
        ngram = fit_ngram(heldout_split(graph.card), graph.vocabulary, order=_ORDER)
        with file.open("w", encoding="utf-8") as arpa:
            write_arpa(ngram, graph.vocabulary, arpa)
    return file
