"""What the use cases of sessions answer: the place, the distributions, the pages."""

import pytest
from support.in_process import Sessions, owner_context

from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.sessions import (
    CheckpointRequest,
    ListSessionsRequest,
    RewindRequest,
    SampleRequest,
    SessionNextRequest,
    SessionScoreRequest,
)
from nextchar.service.sessions.text import MAX_EACH_CHARS


def test_what_is_at_the_edge_is_done(sessions: Sessions) -> None:
    sessions.create(prime="abc")
    calls, ctx = sessions.calls, owner_context()
    run = sessions.made.run
    for name in ("x", "y", "x"):
        run(calls.checkpoint("one", CheckpointRequest(name=name), ctx))
    assert run(calls.rewind("one", RewindRequest(num_chars=3), ctx)).position == 0
    answer = sessions.feed("a" * MAX_EACH_CHARS, **{"return": "each", "if_revision": 5, "top": 1})
    assert (answer.position, answer.revision, len(answer.data)) == (MAX_EACH_CHARS, 6, MAX_EACH_CHARS)
    assert run(calls.text.sample("one", SampleRequest(max_tokens=40, if_revision=6), ctx)).revision == 7
    for model in ("tiny", "tiny:1"):
        request = CompletionRequest(model=model, prompt="a", session_id="one", max_tokens=1)
        assert run(sessions.made.service.completer.complete(request, ctx)).session_id == "one"


def test_every_answer_names_the_session_and_its_place(sessions: Sessions) -> None:
    made = sessions.create(prime="abB")
    assert (made.session_id, made.model, made.model_version, made.position) == ("one", "tiny", "1", 3)
    assert (made.revision, made.max_rewind, made.checkpoints, made.ttl_seconds) == (1, 3, [], 3600.0)
    fed = sessions.feed("AcD", **{"return": "last"})
    shown = (fed.session_id, fed.model, fed.model_version, fed.position, fed.revision, fed.num_unknown)
    assert shown == ("one", "tiny", "1", 6, 2, 2)
    text, run = sessions.calls.text, sessions.made.run
    found = run(text.next("one", SessionNextRequest(), owner_context()))
    assert (found.session_id, found.position, found.revision) == ("one", 6, 2)
    assert (found.model, found.model_version, found.usage.prompt_tokens) == ("tiny", "1", 0)
    assert (found.data, found.entropy_bits) == (fed.data, fed.entropy_bits)
    scored = run(text.score("one", SessionScoreRequest(input=["x", "yz"]), owner_context()))
    assert (scored.begins_after, [s.num_chars for s in scored.data]) == ("state", [1, 2])
    whole = sessions.feed("quick", **{"return": "none"})
    assert (whole.data, whole.entropy_bits) == (None, None)
    ones = [found.data[[c.char for c in found.data].index("q")].logprob]
    assert whole.logprob < ones[0]


def test_feeding_each_gives_the_distribution_after_each_character(sessions: Sessions) -> None:
    sessions.create("one")
    sessions.create("two")
    each = sessions.feed("abc", **{"return": "each", "top": 4})
    last = [sessions.feed(c, "two", **{"return": "last", "top": 4}) for c in "abc"]
    assert [d.data for d in each.data] == [one.data for one in last]
    assert [d.entropy_bits for d in each.data] == [one.entropy_bits for one in last]
    assert each.logprob == pytest.approx(sum(one.logprob for one in last))
    assert {len(d.data) for d in each.data} == {4}
    nothing = sessions.feed("", **{"return": "each"})
    assert nothing.position == 3
    assert len(nothing.data) == 1


def test_pages_follow_each_other(sessions: Sessions) -> None:
    for name in "dbeac":
        sessions.create(name)
    seen, after = [], ""
    for expected in (2, 2, 1):
        page = sessions.made.run(
            sessions.calls.list(ListSessionsRequest(limit=2, after=after), owner_context())
        )
        seen += [entry.session_id for entry in page.data]
        assert len(page.data) == expected
        after = page.next_after or ""
    assert (seen, after) == (list("abcde"), "")
    whole = sessions.made.run(sessions.calls.list(ListSessionsRequest(limit=5), owner_context()))
    assert whole.next_after is None
    assert {(entry.state_bytes, entry.max_rewind, entry.checkpoints) for entry in whole.data} == {(None,) * 3}


def test_an_exported_state_is_restored_as_a_revision(sessions: Sessions) -> None:
    sessions.create(prime="abc")
    sealed = sessions.made.run(sessions.calls.export("one", owner_context()))
    sessions.feed("xyz")
    info = sessions.made.run(sessions.calls.restore("one", sealed, owner_context()))
    assert (info.position, info.revision, info.max_rewind) == (3, 3, 3)
    assert sessions.info() == info


def test_random_ids_are_of_128_bits(sessions: Sessions) -> None:
    made = [sessions.create(None).session_id for _ in range(2)]
    assert made[0] != made[1]
    assert all(len(name) == len("sess-") + 22 and name.startswith("sess-") for name in made)


def test_a_rewind_and_a_sample_draw_as_if_nothing_had_been(sessions: Sessions) -> None:
    def drawn(name: str, count: int) -> str:
        request = SampleRequest(max_tokens=count)
        return str(
            sessions.made.run(sessions.calls.text.sample(name, request, owner_context())).choices[0].text
        )

    sessions.create("one", prime="ab")
    sessions.create("two", prime="ab")
    text = drawn("one", 30)
    assert drawn("two", 9) + drawn("two", 11) + drawn("two", 10) == text
    for name, count in (("one", 30), ("two", 12)):
        sessions.made.run(sessions.calls.rewind(name, RewindRequest(num_chars=count), owner_context()))
    assert drawn("two", 12) == text[18:]
    assert drawn("one", 30) == text
