"""Tables of every format, compressed or not, come back in that format with the scores beside their rows."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.live_server import LiveServer
from tables import ADDED, expected, read_json_lines, read_parquet, run, score_file

TEXTS: list[str | None] = ["hello", "", "a☃b", 'say "x", y', "x" * 300]
ROWS = [{"k": i, "name": text} for i, text in enumerate(TEXTS)]

COMPRESS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "": (bytes, bytes),
    ".gz": (gzip.compress, gzip.decompress),
    ".bz2": (bz2.compress, bz2.decompress),
    ".xz": (lzma.compress, lzma.decompress),
    ".zst": (
        lambda data: pa.compress(data, codec="zstd", asbytes=True),
        lambda data: pa.CompressedInputStream(pa.py_buffer(data), "zstd").read(),
    ),
}


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",", end: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def from_csv(data: bytes, delimiter: str = ",") -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode()), delimiter=delimiter))


def as_json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def of_csv(row: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}


@pytest.fixture(scope="module")
def wanted(models: Path) -> list[dict[str, Any]]:
    added = expected(models / "tiny", TEXTS)
    return [row | more for row, more in zip(ROWS, added, strict=True)]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("of_output", COMPRESS)
def test_csv_may_be_compressed_in_and_out(
    models: Path, tmp_path: Path, wanted: list[dict[str, Any]], suffix: str, of_output: str
) -> None:
    path, output = tmp_path / f"in.csv{suffix}", tmp_path / f"out.csv{of_output}"
    path.write_bytes(COMPRESS[suffix][0](as_csv(ROWS)))
    score_file(models / "tiny", path, output, "--column", "name")
    assert from_csv(COMPRESS[of_output][1](output.read_bytes())) == [of_csv(row) for row in wanted]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_json_lines_keep_what_they_had(
    models: Path, tmp_path: Path, wanted: list[dict[str, Any]], suffix: str
) -> None:
    rows = [row | {"price": 1.10, "tags": [{"a": None}]} for row in ROWS]
    path, output = tmp_path / f"in.jsonl{suffix}", tmp_path / f"out.ndjson{suffix}"
    path.write_bytes(COMPRESS[suffix][0](as_json_lines(rows).replace(b"1.1,", b"1.10,")))
    score_file(models / "tiny", path, output, "--column", "name")
    found = COMPRESS[suffix][1](output.read_bytes())
    assert found.count(b'"price": 1.10,') == len(ROWS)
    assert read_json_lines(found) == [
        rows[i] | {name: row[name] for name in ADDED} for i, row in enumerate(wanted)
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_keeps_its_columns_and_its_metadata(
    models: Path, tmp_path: Path, wanted: list[dict[str, Any]], kind: Any
) -> None:
    table = pa.table({"k": range(len(TEXTS)), "name": pa.array(TEXTS, pa.string()).cast(kind)})
    table = table.replace_schema_metadata({"made": "here"})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    score_file(models / "tiny", tmp_path / "in.parquet", tmp_path / "out.parquet", "--column", "name")
    assert read_parquet(tmp_path / "out.parquet") == wanted
    found = pq.read_schema(tmp_path / "out.parquet")
    assert found.metadata[b"made"] == b"here"
    assert found.field("num_chars").type == pa.int64()


def test_standard_input_gives_what_a_file_gives(models: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"name": TEXTS}), tmp_path / "in.parquet")
    for name, content in {
        "in.csv": as_csv(ROWS),
        "in.jsonl": gzip.compress(as_json_lines(ROWS)),
        "in.parquet": (tmp_path / "in.parquet").read_bytes(),
    }.items():
        (tmp_path / name).write_bytes(content)
        options = [models / "tiny", "--format", name[3:], "--column", "name"]
        of_file = run(*options, "--file", tmp_path / name)
        piped = run(*options, stdin=content)
        assert piped.stdout_bytes == of_file.stdout_bytes
        assert len(piped.stdout_bytes) > 100


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".jsonl", ".parquet", ".txt"])
def test_lines_become_any_table(models: Path, tmp_path: Path, suffix: str) -> None:
    texts = [text for text in TEXTS if text is not None] + ["a\tb"]
    (tmp_path / "in.txt").write_bytes("\ufeff".encode() + "\r\n".join(texts).encode() + b"\r\n")
    output = tmp_path / f"out{suffix}"
    score_file(models / "tiny", tmp_path / "in.txt", output)
    added = expected(models / "tiny", list(texts))
    wanted = [{"text": text, **more} for text, more in zip(texts, added, strict=True)]
    if suffix == ".parquet":
        assert read_parquet(output) == wanted
    elif suffix == ".jsonl":
        assert read_json_lines(output.read_bytes()) == wanted
    elif suffix == ".txt":
        header, *lines = output.read_text().splitlines()
        assert header.split("\t") == [*ADDED, "text"]
        assert [line.split("\t", len(ADDED))[-1] for line in lines] == texts
    else:
        data = output.read_bytes() if suffix == ".csv" else gzip.decompress(output.read_bytes())
        assert from_csv(data, "," if suffix == ".csv" else "\t") == [of_csv(row) for row in wanted]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_newlines_and_the_mark_of_other_systems_change_nothing(
    models: Path, tmp_path: Path, end: str, mark: str
) -> None:
    outputs = []
    for i, content in enumerate([as_csv(ROWS), mark.encode() + as_csv(ROWS, end=end)]):
        (tmp_path / "in.csv").write_bytes(content)
        score_file(models / "tiny", tmp_path / "in.csv", tmp_path / f"{i}.csv", "--column", "name")
        outputs.append((tmp_path / f"{i}.csv").read_bytes())
    assert outputs[0] == outputs[1]


def test_another_encoding_another_delimiter_and_no_header_are_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("1;café\n2;ab\n".encode("latin-1"))
    options = ["--encoding", "latin-1", "--delimiter", ";", "--no-header", "--column", "2"]
    score_file(models / "tiny", tmp_path / "in.csv", tmp_path / "out.csv", *options)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(";")[:2] for line in lines] == [["1", "café"], ["2", "ab"]]
    assert {len(line.split(";")) for line in lines} == {2 + len(ADDED)}


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_gives_the_same_bytes(models: Path, server: LiveServer, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "in.csv").write_bytes(as_csv(ROWS * 200))
    score_file(models / "tiny", tmp_path / "in.csv", tmp_path / "a.csv", "--column", "name")
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    score_file("tiny", tmp_path / "in.csv", tmp_path / "b.csv", "--column", "name", "--url", url)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
