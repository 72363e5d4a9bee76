"""One function adds scores to the tables of every library, and can be sent to other processes."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.live_server import LiveServer

import nextchar
from nextchar.batch import Score, opened
from nextchar.errors import InvalidRequest

STRINGS = ["hello", None, "", "a☃b", "x" * 300]
ADDED = ["logprob", "bits_per_char", "num_chars", "num_unknown", "percentile", "p_value"]


def _pandas(values: list[Any]) -> Any:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed; tests/system/batch has it")
    return pandas.DataFrame({"k": range(len(values)), "name": values}, index=range(7, 7 + len(values)))


def _polars(values: list[Any]) -> Any:
    polars = pytest.importorskip("polars", reason="polars is not installed; tests/system/batch has it")
    return polars.DataFrame({"k": range(len(values)), "name": polars.Series(values, dtype=polars.String)})


MAKE: dict[str, Callable[[list[Any]], Any]] = {
    "table": lambda values: pa.table({"k": range(len(values)), "name": pa.array(values, pa.string())}),
    "record batch": lambda values: pa.RecordBatch.from_pydict(
        {"k": list(range(len(values))), "name": pa.array(values, pa.string())}
    ),
    "pandas": _pandas,
    "polars": _polars,
    "arrays": lambda values: {"k": np.arange(len(values)), "name": np.array(values, dtype=object)},
}


def _known(value: Any) -> Any:
    """The value, or None for what pandas holds in place of one."""
    pandas = pytest.importorskip("pandas")
    return None if pandas.isna(value) else value


def as_arrays(table: Any) -> dict[str, list[Any]]:
    """The columns as lists; what is missing is None, or NaN and 0 in arrays."""
    if isinstance(table, dict):
        return {name: np.asarray(values).tolist() for name, values in table.items()}
    library = type(table).__module__.partition(".")[0]
    if library == "pandas":
        return {str(name): [_known(value) for value in table[name].tolist()] for name in table}
    if library == "polars":
        frame: dict[str, list[Any]] = table.to_dict(as_series=False)
        return frame
    found: dict[str, list[Any]] = table.to_pydict()
    return found


@pytest.fixture(scope="module")
def expected(models: Path) -> list[Any]:
    with nextchar.load(models / "tiny") as model:
        scores = iter(model.score([text for text in STRINGS if text is not None]).data)
        return [None if text is None else next(scores) for text in STRINGS]


@pytest.mark.parametrize("kind", MAKE)
def test_a_table_comes_back_with_the_scores_beside_its_rows(
    models: Path, expected: list[Any], kind: str
) -> None:
    given = MAKE[kind](STRINGS)
    found = Score(models / "tiny", column="name")(given)
    assert type(found) is type(given)
    columns = as_arrays(found)
    assert list(columns) == ["k", "name", *ADDED]
    assert columns["k"] == list(range(5))
    for name in ADDED:
        values = [None if score is None else getattr(score, name) for score in expected]
        if kind == "arrays":
            empty = 0 if name.startswith("num") else np.nan
            np.testing.assert_array_equal(columns[name], [empty if v is None else v for v in values])
        else:
            assert columns[name] == values


@pytest.mark.parametrize("dtype", ["string", "str", object])
def test_what_pandas_takes_for_missing_has_no_score(models: Path, dtype: Any) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed; tests/system/batch has it")
    frame = pd.DataFrame({"name": pd.Series(["ab", None, pd.NA], dtype=dtype)})
    found = Score(models / "tiny")(frame)
    assert found["num_chars"].tolist() == [2, pd.NA, pd.NA]
    assert found["num_chars"].dtype == Score(models / "tiny")(frame.head(0))["num_chars"].dtype


@pytest.mark.parametrize("kind", MAKE)
def test_an_empty_table_has_the_columns_and_opens_no_model(kind: str) -> None:
    found = Score("no such model", column="name")(MAKE[kind]([]))
    assert list(as_arrays(found)) == ["k", "name", *ADDED]


def test_an_iterator_of_tables_is_answered_with_one(models: Path) -> None:
    score = Score(models / "tiny", column="name", prefix="tiny_")
    found = list(score(iter([MAKE["table"](STRINGS), MAKE["table"](["a"])])))
    assert [table.num_rows for table in found] == [5, 1]
    assert found[0].column_names[2:] == [f"tiny_{name}" for name in ADDED] == score.names


def test_a_large_batch_has_the_scores_of_its_strings(models: Path) -> None:
    strings = [f"{i:x}" for i in range(10_000)]
    found = Score(models / "tiny")({"s": strings})["logprob"]
    with nextchar.load(models / "tiny") as model:
        np.testing.assert_array_equal(found, model.logprobs(strings))


def test_a_pickle_has_the_arguments_and_a_process_opens_a_model_once(models: Path) -> None:
    score = Score(models / "tiny", column="name", context="ab")
    table = MAKE["table"](STRINGS)
    before = score(table)
    assert len(pickle.dumps(score)) < 1000
    copy = pickle.loads(pickle.dumps(score))
    num_opened = len(opened._opened)
    assert copy(table) == before
    assert len(opened._opened) == num_opened


def test_a_server_gives_what_a_model_file_gives(models: Path, server: LiveServer) -> None:
    table = MAKE["table"](STRINGS)
    for url in (server.url, f"grpc://{server.grpc_address}"):
        assert Score("tiny", column="name", url=url)(table) == Score(models / "tiny", column="name")(table)


def test_rows_that_hold_no_string_or_one_that_is_refused_have_no_score(models: Path) -> None:
    rows = ["ab", None, 7, float("nan"), "\ud800", "A", b"ab", "c", "A"]
    found = Score(models / "refusing", column="name")({"name": np.array(rows, dtype=object)})
    assert np.flatnonzero(~np.isnan(found["logprob"])).tolist() == [0, 7]


@pytest.mark.parametrize(
    ("row", "why"), [(None, "is null"), (7, "holds 7, which is no string"), ("A", "holds 'A'")]
)
def test_a_bad_row_may_stop_the_batch_and_is_told_by_number(models: Path, row: Any, why: str) -> None:
    score = Score(models / "refusing", column="name", on_error="stop")
    with pytest.raises(InvalidRequest, match=f"row 2 of the batch {why}"):
        score({"name": np.array(["ab", row], dtype=object)})


@pytest.mark.parametrize(
    ("table", "column", "told"),
    [
        ({"a": ["x"]}, "name", "the batch has no column 'name': it has 'a'"),
        ({"a": ["x"], "b": ["x"]}, None, "name the column of the strings: the batch has 'a', 'b'"),
        ({"a": ["x"], "logprob": [1]}, "a", "has a column 'logprob' already"),
        (["x"], None, "it is a builtins.list"),
    ],
)
def test_what_is_wrong_with_a_batch_is_told(models: Path, table: Any, column: str | None, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        Score(models / "tiny", column=column)(table)


def test_the_schema_for_spark_names_every_column(models: Path) -> None:
    kinds = ["double", "double", "bigint", "bigint", "double", "double"]
    wanted = ", ".join(f"{name} {kind}" for name, kind in zip(ADDED, kinds, strict=True))
    assert Score(models / "tiny").sql == wanted
