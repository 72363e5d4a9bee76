"""A judge turns log-probabilities into verdicts that hold at the rate of false alarms that was asked for."""

import io
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model.judging.tiny_judges import (
    bad_strings,
    fitted,
    judge,
    judge_card,
    logprobs_of,
    normal_strings,
)

from nextchar.errors import InvalidRequest, ModelFileError
from nextchar.model.judging.card import FILE_NAME, REFERENCES_NAME, digest_of, parse_judge
from nextchar.model.judging.judge import Judge
from nextchar.model.judging.verdicts import Verdicts

MEASURED = {"condition": "nothing known", "kind": "ab", "num_strings": 5, "auc": 0.5, "hits": {"0.01": 0.5}}


def verdicts(found: Judge, strings: list[str], rate: float | None = None) -> Verdicts:
    return found.verdicts(strings, [logprobs_of(s) for s in strings], false_alarm_rate=rate)


@pytest.mark.parametrize("knows_bad", [False, True])
@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_fresh_normal_strings_are_flagged_at_the_rate_that_was_asked_for(
    knows_bad: bool, rate: float
) -> None:
    found = verdicts(judge(knows_bad=knows_bad), normal_strings(20_000, seed=7), rate)
    assert 0.6 * rate <= found.is_flagged.mean() <= 1.5 * rate
    assert (found.is_flagged == (found.p_value <= rate)).all()


def test_no_rate_flags_more_fresh_normal_strings_than_it_says() -> None:
    """Strings of one length that have the same rare characters share a score, so that it may flag fewer."""
    p_value = verdicts(judge(), normal_strings(20_000, seed=8)).p_value
    for share in (0.05, 0.2, 0.5, 0.8):
        assert (p_value <= share).mean() <= 1.15 * share


def test_what_surprises_is_flagged_without_any_bad_string_known() -> None:
    found = verdicts(judge(), ["xyzxyzyx", "abcdabca", "abcdx" * 12])
    assert found.is_flagged.tolist() == [True, False, True]


def test_a_known_kind_is_found_that_alone_does_not_surprise() -> None:
    strings = bad_strings(200, seed=9)
    without, knowing = verdicts(judge(), strings), verdicts(judge(knows_bad=True), strings)
    assert without.is_flagged.mean() < 0.5
    assert knowing.is_flagged.mean() > 0.95
    assert knowing.kind(0) == "ab"


def test_a_reference_that_finds_a_string_normal_costs_at_most_its_share() -> None:
    strings = ["xyzcyzdx", "dzczyydx.zyxc"]
    without, knowing = verdicts(judge(), strings, 0.05), verdicts(judge(knows_bad=True), strings, 0.05)
    assert without.is_flagged.all()
    assert knowing.is_flagged.all()


def test_the_reasons_name_the_characters_that_surprised_most() -> None:
    why = verdicts(judge(), ["abcxab"]).why(0)
    assert (why.characters[0].offset, why.characters[0].character) == (3, "x")
    assert why.characters[0].bits == pytest.approx(-logprobs_of("x")[0] / np.log(2))
    assert why.kind is None


def test_an_unknown_character_is_evidence() -> None:
    evidence = verdicts(judge(), ["abc☃ab", "abcxab"]).combined.evidence
    assert evidence[0, -1] > evidence[1, -1] == 0


def test_a_string_is_judged_alone_as_among_others() -> None:
    found, strings = judge(knows_bad=True), [*normal_strings(40), *bad_strings(5), "", "x", "a.b"]
    together = verdicts(found, strings)
    for k, string in enumerate(strings):
        alone = verdicts(found, [string])
        assert alone.p_value[0] == together.p_value[k]
        assert alone.why(0) == together.why(k)


def test_the_interval_of_a_verdict_holds_its_p_value() -> None:
    found = verdicts(judge(), normal_strings(500, seed=3))
    assert (found.low <= found.p_value).all()
    assert (found.p_value <= found.high).all()


def test_a_rate_finer_than_the_strings_can_tell_is_warned_of_or_refused() -> None:
    found = judge(1000)
    assert found.asked(0.1).warning is None
    assert found.asked(0.1).low < 0.1 < found.asked(0.1).high
    assert "between" in str(found.asked(0.002).warning)
    assert "extrapolated" in str(found.asked(0.0005).warning)
    for rate in (0.00001, 0.0, 1.0, float("nan")):
        with pytest.raises(
            InvalidRequest, match=r"false_alarm_rate must be a number from 0\.0001 to below 1"
        ):
            found.asked(rate)


@pytest.mark.parametrize("num_normal", [700, 970, 1000, 3000])
def test_the_finest_rate_that_a_refusal_names_is_taken(num_normal: int) -> None:
    found = judge(num_normal)
    with pytest.raises(InvalidRequest) as refused:
        found.asked(1e-9)
    named = re.search(r"from (\S+) to below 1", refused.value.message)
    assert named is not None
    assert found.asked(float(named[1])).rate == float(named[1])


def write(folder: Path, *, knows_bad: bool = True) -> tuple[Path, Path]:
    """Writes a judge and its model; returns their folders."""
    model, version = folder / "models" / "tiny" / "1", folder / "judges" / "test" / "1"
    model.mkdir(parents=True)
    version.mkdir(parents=True)
    (model / "step-int8.onnx").write_bytes(b"a model")
    card, content = judge_card(fitted(knows_bad=knows_bad), digest=digest_of(b"a model"))
    (version / FILE_NAME).write_text(card.to_json())
    if content:
        (version / REFERENCES_NAME).write_bytes(content)
    return version, model


@pytest.mark.parametrize("knows_bad", [False, True])
def test_a_judge_judges_alike_after_it_was_written_and_read(tmp_path: Path, knows_bad: bool) -> None:
    version, _ = write(tmp_path, knows_bad=knows_bad)
    strings = [*normal_strings(50), *bad_strings(50)]
    read, made = verdicts(Judge.load(version), strings), verdicts(judge(knows_bad=knows_bad), strings)
    assert read.p_value == pytest.approx(made.p_value)
    assert [read.why(k) for k in range(100)] == [made.why(k) for k in range(100)]


def test_a_judge_whose_model_is_gone_or_changed_is_not_loaded(tmp_path: Path) -> None:
    version, model = write(tmp_path)
    (model / "step-int8.onnx").write_bytes(b"another")
    with pytest.raises(ModelFileError, match="'tiny' version 1 has changed since the judge was fitted"):
        Judge.load(version)
    (model / "step-int8.onnx").unlink()
    with pytest.raises(ModelFileError, match="its model 'tiny' version 1 is not in the folder"):
        Judge.load(version)
    with pytest.raises(ModelFileError, match="was fitted with model 'tiny'"):
        judge().check_model("1" * 64)


def test_a_judge_whose_references_are_gone_or_changed_is_not_loaded(tmp_path: Path) -> None:
    version, _ = write(tmp_path)
    (version / REFERENCES_NAME).write_bytes(b"other")
    with pytest.raises(ModelFileError, match="has changed since the judge was fitted"):
        Judge.load(version)
    (version / REFERENCES_NAME).unlink()
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        Judge.load(version)


@pytest.mark.parametrize("name", [FILE_NAME, REFERENCES_NAME])
def test_what_is_in_place_of_a_file_of_a_judge_neither_hangs_nor_fills_memory(
    tmp_path: Path, name: str
) -> None:
    version, _ = write(tmp_path)
    (version / name).unlink()
    os.mkfifo(version / name)
    with pytest.raises(ModelFileError, match=f"{name}: cannot be read: not a regular file"):
        Judge.load(version)
    (version / name).unlink()
    with (version / name).open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(ModelFileError, match=f"{name}: has 2147483649 bytes, the limit of a .* file is"):
        Judge.load(version)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", 2, "format"),
        ("name", "a/b", "cannot be the name of a judge"),
        ("weights", {}, "weights: missing"),
        ("curves", {}, "curves: missing"),
        ("novelty_share", 0, "novelty_share"),
        ("extra", 1, "extra"),
    ],
)
def test_a_bad_judge_file_is_refused_with_the_field(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    version, _ = write(tmp_path)
    content = json.loads((version / FILE_NAME).read_text())
    (version / FILE_NAME).write_text(json.dumps(content | {field: value}))
    with pytest.raises(ModelFileError, match=message):
        Judge.load(version)
    (version / FILE_NAME).write_text("{")
    with pytest.raises(ModelFileError, match="bad judge"):
        Judge.load(version)


def test_log_probabilities_that_do_not_fit_the_strings_are_refused() -> None:
    with pytest.raises(ValueError, match="string 0 has 3 log-probabilities, must have 4"):
        judge().verdicts(["abc"], [np.zeros(3)])
    with pytest.raises(ValueError, match="2 strings have 1 arrays"):
        judge().verdicts(["abc", "a"], [np.zeros(4)])


@pytest.mark.parametrize(
    "damage", ["nothing", "other kinds", "no archive", "cut off", "an array is missing", "shapes"]
)
def test_references_that_the_card_does_not_describe_are_refused(damage: str) -> None:
    card, content = judge_card(fitted(300, knows_bad=True))
    assert Judge.of(card, content)
    with np.load(io.BytesIO(content)) as found:
        arrays = dict(found)
    match damage:
        case "other kinds":
            arrays["names"] = np.array(["other"])
        case "an array is missing":
            del arrays["0_lengths"]
        case "shapes":
            arrays["0_1_logprobs"] = arrays["0_1_logprobs"][:3]
    file = io.BytesIO()
    np.savez(file, **arrays)
    given = {"nothing": b"", "no archive": b"x", "cut off": content[: len(content) // 2]}.get(
        damage, file.getvalue()
    )
    with pytest.raises(ModelFileError, match=r"references.npz is not what its judge.json describes"):
        Judge.of(card, given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"default_rate": 1e-9}, "default_rate: 1e-09 is finer than num_normal can tell"),
        ({"default_rate": 1.0}, "default_rate: Input should be less than 1"),
        ({"num_normal": 10**9}, "num_normal: Input should be less than or equal to 1000000"),
        ({"num_normal": 10**400}, "num_normal"),
        ({"novelty_share": 1.0}, "novelty_share: Input should be less than 1"),
        ({"weights": {"mean_surprise": 1e308}}, "weights.mean_surprise"),
        ({"quality": [MEASURED | {"auc": math.nan}]}, "quality.0.auc: Input should be a finite number"),
        ({"quality": [MEASURED | {"hits": {"0.01": 2}}]}, "quality.0.hits.0.01: Input should be less than"),
        ({"quality": [MEASURED | {"num_strings": 10**30}]}, "quality.0.num_strings"),
    ],
)
def test_a_card_with_a_number_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    card = judge_card(fitted(300))[0].model_dump(mode="json")
    with pytest.raises(ModelFileError, match=re.escape(message)):
        parse_judge(json.dumps(card | change).encode(), shown="x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": {"characters": ["a", "a"]}}, "x: bad judge: normal"),
        ({"model": "../../other"}, "normal: Value error, model: '../../other' cannot be the name of a model"),
        ({"version": "/etc"}, "normal: Value error, version: '/etc' cannot be the version of a model"),
    ],
    ids=["vocabulary", "name", "version"],
)
def test_a_normal_model_that_cannot_be_is_refused_when_the_judge_is_read(
    change: dict[str, Any], message: str
) -> None:
    card = judge_card(fitted(300))[0].model_dump(mode="json")
    card["normal"] |= change
    with pytest.raises(ModelFileError, match=re.escape(message)):
        parse_judge(json.dumps(card).encode(), shown="x")
