"""Makes the texts of the benchmark of the defaults from what is installed; nothing of them is committed."""

import ast
import random
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from nextchar_training.text.corpus import load_corpus

_NUM_NAMES, _NUM_DOMAINS = 30_000, 140_000
_MB = 1_000_000
_SEED = 0


def make_texts(folder: Path) -> dict[str, Path]:
    """Writes each text that can be made here; returns its file or folder by name."""
    made = {}
    for name, make in _TEXTS.items():
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
        made[name] = path
    return made


def _manual() -> str:
    """Returns the text of Python's own manual of the language, which help() shows."""
    import pydoc_data.topics

    topics: dict[str, str] = pydoc_data.topics.topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def _sources(*left_out: str) -> Iterator[tuple[str, str]]:
    """Yields the path and the text of the standard library's sources, in a fixed random order."""
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = [path for path in sorted(root.rglob("*.py")) if not {*left_out} & {*path.relative_to(root).parts}]
    random.Random(_SEED).shuffle(paths)
    for path in paths:
        try:
            yield str(path.relative_to(root)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _library() -> Iterator[tuple[str, str]]:
    yield from _sources("site-packages", "dist-packages", "test", "tests", "idlelib", "__pycache__")


def _write_plays(first: int, end: int) -> Callable[[Path], None]:
    return lambda path: _write(path, str(load_corpus("shakespeare").text)[first:end])


def _write_sample(name: str, num_lines: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        lines = str(load_corpus(name).text).split("\n")[:-1]
        path.write_text("\n".join(sorted(random.Random(_SEED).sample(lines, num_lines))) + "\n")

    return write


def _write_tree(path: Path) -> None:
    size = 0
    for name, text in _library():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if (size := size + len(text)) >= 2 * _MB:
            return


def _write_documents(path: Path) -> None:
    """Writes short documents, a file each: the docstrings of the standard library."""
    path.mkdir()
    number = 0
    for _, text in _library():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                found = ast.get_docstring(node)
                if found and len(found) >= 80:
                    (path / f"{number:05}.txt").write_text(found + "\n", encoding="utf-8")
                    number += 1


_TEXTS: dict[str, Callable[[Path], None]] = {
    "manual-100k.txt": lambda path: _write(path, _manual()[200_000:300_000]),
    "plays-1m.txt": _write_plays(2 * _MB, 3 * _MB),
    "plays-5m.txt": _write_plays(0, 5 * _MB),
    "names-30k.txt": _write_sample("names", _NUM_NAMES),
    "domains-140k.txt": _write_sample("domains", _NUM_DOMAINS),
    "sources-2m": _write_tree,
    "no-newline.txt": lambda path: _write(path, " ".join(_manual().split())),
    "documents": _write_documents,
}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
