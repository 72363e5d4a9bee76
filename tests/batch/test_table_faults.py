"""What is wrong with a table, a row or an option is one clear sentence, and nothing is lost."""

import gzip
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import ADDED, read_json_lines, read_parquet, run, score_file

EMPTY = "," * len(ADDED)


def test_bad_rows_of_csv_stay_as_they_were_and_are_told_by_line(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b'k,name\n1,ab\n2\n3,ab,x\n4,caf\xe9\n\n5,"a\nb"\n6,c\n')
    done = score_file(models / "tiny", tmp_path / "in.csv", tmp_path / "out.csv", "--column", "name")
    lines = (tmp_path / "out.csv").read_bytes().split(b"\n")
    assert lines[2:5] == [b"2," + EMPTY.encode(), b"3,ab,x", b"4,caf\xe9" + EMPTY.encode()]
    assert "3 bad rows: line 3 has 1 field, where the first line has 2; line 4 has 3 fields" in done.stderr
    assert "line 5 is not UTF-8: it has the byte 0xe9" in done.stderr
    assert "6 rows in" in done.stderr


def test_bad_rows_of_json_lines_stay_as_they_were(models: Path, tmp_path: Path) -> None:
    bad = [b'{"name": null}', b'{"name": 7}', b"{nope}", b"[1]", b'{"k": 1}', b'{"name": "\\ud800"}']
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([b'{"name": "ab"}', *bad, b'{"name": "c"}']))
    done = score_file(models / "tiny", tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--column", "name")
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert (lines[3], lines[4]) == (b"{nope}", b"[1]")
    found = read_json_lines(b"\n".join(lines[:3] + lines[5:]))
    assert [row["logprob"] is None for row in found] == [False, True, True, True, True, False]
    assert "6 bad rows: line 2 is null; line 3 holds 7, which is no string; line 4 is no JSON" in done.stderr
    assert done.stderr.rstrip().endswith("; and 1 more")


def test_parquet_of_bytes_that_are_no_text_names_the_rows(models: Path, tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"name": pa.array([b"ab", b"caf\xe9", None], pa.binary())}), tmp_path / "in.parquet"
    )
    done = score_file(models / "tiny", tmp_path / "in.parquet", tmp_path / "out.parquet", "--column", "name")
    assert [row["num_chars"] for row in read_parquet(tmp_path / "out.parquet")] == [2, None, None]
    assert "row 2 is not UTF-8: it has the byte 0xe9; row 3 is null" in done.stderr


def test_characters_that_the_model_refuses_are_bad_rows(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("ab\nA\n" * 600)
    done = score_file(models / "refusing", tmp_path / "in.txt", tmp_path / "out.csv", "--on-error", "skip")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 601
    assert "600 bad rows: line 2 holds 'A' (U+0041)" in done.stderr


def test_a_bad_row_may_stop_the_run_which_then_goes_on_without_it(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("name,k\nab,1\n,\nc\n")
    (tmp_path / "in.jsonl").write_text('{"name": "ab"}\n{"name": null}\n')
    options = [models / "tiny", "--file", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl"]
    done = run(*options, "--column", "name", "--on-error", "stop")
    assert done.exit_code == 2
    assert "in.jsonl', line 2 is null; --on-error keep or skip goes on without it" in done.stderr
    assert run(*options, "--column", "name", "--on-error", "skip", "--overwrite").exit_code == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1


def test_a_row_that_is_longer_than_a_block_is_scored_among_others(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("ab\n" + "abc " * 2**13 + "\nc\n")
    monkeypatch.setattr("nextchar.batch.files.block.MAX_CHARS", 1000)
    score_file(models / "tiny", tmp_path / "in.txt", tmp_path / "out.parquet")
    assert [row["num_chars"] for row in read_parquet(tmp_path / "out.parquet")] == [2, 2**15, 1]


def csv_file(path: Path) -> Path:
    path.write_text("k,name\n1,ab\n")
    return path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--column", "nome"], "in.csv' has no column 'nome': it has 'k', 'name'"),
        ([], "name the column of the strings: "),
        (["--column", "name", "--output", "in.csv"], "is the input"),
        (["--column", "name", "--output", "there.csv"], "exists: give it another name"),
        (["--column", "name", "--output", "folder"], "is a folder"),
        (["--column", "name", "--output", "none/x.csv"], "there is no such folder"),
        (["--column", "name", "--output", "x.parquet"], "would be written as csv"),
        (["--column", "name", "--resume"], "need --output"),
        (["--column", "name", "--output", "x.csv", "--resume", "--overwrite"], "not both"),
        (
            ["--column", "name", "--json"],
            "--json, --adaptive and --return-chars are for scores that are printed",
        ),
        (["--format", "lines", "--column", "name"], "is read as lines"),
        (["--format", "parquet"], "is cut off, or no Parquet file"),
        (["--column", "name", "--delimiter", "\\t"], "--delimiter must be one character"),
        (["--format", "lines", "--delimiter", ";"], "--delimiter is for tables"),
        (["--column", "name", "--encoding", "utf-16"], "is not UTF-16"),
        (["--output", "x.csv", "--format", "lines", "--no-header"], "are for CSV"),
        (["--format", "jsonl", "--delimiter", ";"], "--delimiter and --no-header are for CSV"),
        (["--format", "lines", "--on-error", "skip"], "--on-error is for tables"),
        (["--column", "name", "--output", "n" * 250 + ".csv"], "cannot be written: File name too long"),
    ],
)
def test_what_is_wrong_is_one_line(models: Path, tmp_path: Path, options: list[str], told: str) -> None:
    path = csv_file(tmp_path / "in.csv")
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.csv").write_text("mine")
    placed = [
        str(tmp_path / o) if before == "--output" else o
        for before, o in zip(["", *options], options, strict=False)
    ]
    done = run(models / "tiny", "--file", path, *placed)
    assert done.exit_code == (1 if "cannot be written" in told else 2), done.output
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "in.csv", "there.csv"]
    assert (tmp_path / "there.csv").read_text() == "mine"


@pytest.mark.parametrize("option", [["--output", "out.csv"], ["--column", "name"], ["--format", "csv"]])
def test_strings_that_are_arguments_take_no_option_of_files(models: Path, option: list[str]) -> None:
    done = run(models / "tiny", "ab", *option)
    assert done.exit_code == 2
    assert done.stderr == f"Error: {option[0]} is for files: give the strings with --file, not as arguments\n"


def test_two_columns_of_the_name_are_told(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("name,name\na,b\n")
    columns = [pa.array(["a"]), pa.array(["b"])]
    pq.write_table(pa.table(columns, names=["name", "name"]), tmp_path / "in.parquet")
    for name in ("in.csv", "in.parquet"):
        done = run(models / "tiny", "--file", tmp_path / name, "--column", "name")
        assert done.exit_code == 2
        assert f"{name}' has 2 columns 'name': rename all but one" in done.stderr


def test_a_column_that_exists_is_not_written_twice(models: Path, tmp_path: Path) -> None:
    for name, content in {
        "in.csv": "name,logprob\na,1\n",
        "in.jsonl": '{"name": "a", "logprob": 1}\n',
    }.items():
        (tmp_path / name).write_text(content)
        options = [models / "tiny", "--file", tmp_path / name, "--column", "name"]
        assert "has a column 'logprob' already" in run(*options).stderr
        assert "tiny_logprob" in run(*options, "--prefix", "tiny_").stdout


def test_json_lines_without_the_column_are_an_error_and_not_rows_without_a_score(
    models: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text('{"a": "x", "b": 1}\n' * 3)
    done = run(models / "tiny", "--file", tmp_path / "in.jsonl", "--column", "name")
    assert done.exit_code == 2
    assert "line 1, has no column 'name': it has 'a', 'b'" in done.stderr
    assert done.stdout == ""


def test_a_table_in_utf16_is_refused_with_its_encoding_to_be_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("name\nab\n".encode("utf-16"))
    done = run(models / "tiny", "--file", tmp_path / "in.csv", "--column", "name")
    assert done.exit_code == 2
    assert "it has NUL bytes" in done.stderr
    assert (
        run(
            models / "tiny", "--file", tmp_path / "in.csv", "--column", "name", "--encoding", "utf-16"
        ).exit_code
        == 0
    )


def test_a_quotation_mark_that_is_never_closed_is_told(
    models: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nextchar.batch.files.line_tables._MAX_FIELD_CHARS", 1000)
    (tmp_path / "in.csv").write_text('name,k\na,1\n"b,2\n' + "c,3\n" * 1000)
    done = run(models / "tiny", "--file", tmp_path / "in.csv", "--column", "name")
    assert done.exit_code == 2
    assert (
        "line 3: no CSV from here on (field larger than field limit (1000)); a quotation mark" in done.stderr
    )


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_compressed_data_that_end_too_early_keep_what_they_had(
    models: Path, tmp_path: Path, compress: Any
) -> None:
    whole = compress("".join(f"{i:x}\n" for i in range(20_000)).encode())
    (tmp_path / "in.txt").write_bytes(whole[: len(whole) // 2])
    done = run(models / "tiny", "--file", tmp_path / "in.txt", "--output", tmp_path / "out.csv")
    assert done.exit_code == 2
    assert "is cut off or damaged" in done.stderr
    assert "rows are done; the same command with --resume goes on after them" in done.stderr
    assert [p.name for p in tmp_path.glob("out*")] == ["out.csv.progress"]


def test_parquet_that_is_cut_off_or_damaged_is_told(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"name": [f"{i:x}" * 9 for i in range(9000)]}), path, row_group_size=4096)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    options = [models / "tiny", "--file", path, "--output", tmp_path / "out.parquet", "--column", "name"]
    assert "is cut off, or no Parquet file" in run(*options).stderr
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes(2000) + whole[half + 2000 :])
    done = run(*options)
    assert done.exit_code == 2
    assert "is damaged: it cannot be read beyond row" in done.stderr


def test_without_pyarrow_one_sentence_says_what_to_install(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("nextchar.batch.arrow.import_module", missing)
    (tmp_path / "in.txt").write_text("ab\n")
    for name, needed in {"out.parquet": "Parquet", "out.csv.zst": "zstd"}.items():
        done = run(models / "tiny", "--file", tmp_path / "in.txt", "--output", tmp_path / name)
        assert done.stderr == f"Error: {needed} needs pyarrow: pip install 'nextchar[arrow]'\n"
        assert not list(tmp_path.glob("out*"))
