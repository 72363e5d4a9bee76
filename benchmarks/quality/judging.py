"""Measures a judge on names that malware makes, beside simpler statistics, by cross-validation in five folds.

    python -m benchmarks.quality.judging FOLDER [--model models/domains/1] [--results FILE.json]

FOLDER has `real-domains.txt`, one real domain per line, and a file for each family of malware. Lists are not
part of this repository; without the folder nothing is measured. Real domains that the model was trained on
are left out, and every family counts equally.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.entropy import entropies
from nextchar.model.graph import ModelGraph, open_graph
from nextchar.model.surprise.curves import Doubles
from nextchar_training.judging.evaluation import NOTHING, Condition, evaluate
from nextchar_training.judging.lists import StringList, checked_bad, read_list
from nextchar_training.judging.normal import never_trained_on
from nextchar_training.judging.page import means, report
from nextchar_training.judging.scored import Scored, score_list
from nextchar_training.text.heldout import heldout_split

REAL_DOMAINS = "real-domains.txt"
_RELATIVES = {"goz": "newgoz"}  # one program, two versions
_RATES = (0.01, 0.001)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.judging", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of lists")
    parser.add_argument("--model", type=Path, default=Path("models/domains/1"), help="a version's folder")
    parser.add_argument("--results", type=Path, help="JSON file to write the figures to")
    parser.add_argument("--page", type=Path, default=Path(".data/judging.html"), help="page with the charts")
    arguments = parser.parse_args()
    folder: Path | None = arguments.folder
    if folder is None or not (folder / REAL_DOMAINS).is_file():
        print(f"skipped: needs a folder with {REAL_DOMAINS} and a list for each family (is {folder})")
        return
    graph = open_graph(arguments.model / "step-int8.onnx")
    normal, bad = domain_lists(graph, folder)
    groups = {one.name: family_group(one.name) for one in bad}
    conditions = evaluate(normal, bad, graph.vocabulary, groups=groups, say=print)
    rows = [_simple("Shannon entropy", normal, bad, _entropy)]
    rows.append(_simple("bits per character", normal, bad, _bits))
    rows += [_row(condition.name, condition) for condition in conditions]
    rows.append(_row("held-out text of the model", _heldout(graph)))
    _show(rows, len(normal), len(bad))
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    arguments.page.write_text(report("of domains", conditions, []), encoding="utf-8")
    if arguments.results:
        kinds = [m.model_dump() for condition in conditions for m in condition.measured()]
        arguments.results.write_text(json.dumps({"rows": rows, "kinds": kinds}, indent=1) + "\n")


def domain_lists(graph: ModelGraph, folder: Path) -> tuple[Scored, list[Scored]]:
    """Reads and scores the real domains that the model was not trained on, and those of each family."""
    form = graph.vocabulary.normalize
    found = {path.stem: read_list(path, form, print) for path in sorted(folder.glob("*.txt"))}
    real = never_trained_on(graph.card, found.pop(Path(REAL_DOMAINS).stem), print)
    bad = checked_bad(list(found.values()), real, print)
    return _scored(graph, real), [_scored(graph, one) for one in bad]


def _scored(graph: ModelGraph, strings: StringList) -> Scored:
    return score_list(graph, strings.name, strings.strings)


def family_group(name: str) -> str:
    """Returns the program that a list is of: two lists of one program are left out together."""
    program = name.removesuffix("-2").replace("_", "")
    return _RELATIVES.get(program, program)


def _heldout(graph: ModelGraph) -> Condition:
    """Measures false alarms among strings like those that the model was trained on."""
    lines = list(dict.fromkeys(str(heldout_split(graph.card).heldout).split("\n")))
    return evaluate(score_list(graph, "held out", lines), [], graph.vocabulary)[0]


def _simple(
    name: str, normal: Scored, bad: Sequence[Scored], statistic: Callable[[Scored], Doubles]
) -> dict[str, object]:
    """Measures one statistic, whose rank among the normal strings is its p-value."""
    ordered = np.sort(statistic(normal))

    def p_values(strings: Scored) -> Doubles:
        return 1 - np.searchsorted(ordered, statistic(strings), "left") / len(ordered)

    kinds = {one.name: p_values(one) for one in bad}
    return _row(name, Condition(NOTHING, p_values(normal), kinds), alarms=False)


def _entropy(strings: Scored) -> Doubles:
    return entropies(strings.texts)


def _bits(strings: Scored) -> Doubles:
    return strings.statistics.mean


def _row(name: str, condition: Condition, *, alarms: bool = True) -> dict[str, object]:
    found = means([condition])
    figures: dict[str, object] = {"name": name, "num_normal": len(condition.normal)}
    if found:
        figures |= {"auc": found[0].auc} | {f"hits {rate:g}": found[0].hits[f"{rate:g}"] for rate in _RATES}
    return figures | {f"alarms {rate:g}": condition.seen_over_asked(rate) for rate in _RATES if alarms}


def _show(rows: list[dict[str, object]], num_normal: int, num_families: int) -> None:
    print(f"\n{num_normal:,} real domains, {num_families} families\n")
    columns = ["auc", *(f"hits {rate:g}" for rate in _RATES), *(f"alarms {rate:g}" for rate in _RATES)]
    print("| what is known | AUC | hits at 1 % | at 0.1 % | seen ÷ asked at 1 % | at 0.1 % |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row[c]:.3f}" if c in row else "–" for c in columns]
        print(f"| {row['name']} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
