"""`nextchar keys new` says in a sentence what no key can have."""

import pytest
from click.testing import CliRunner

from nextchar.entrypoints.main import main


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--requests-per-second", "nan", "requests_per_second: input should be a finite number"),
        ("--chars-per-second", "inf", "chars_per_second: input should be a finite number"),
        ("--owner", "a\nb", "owner: has characters that cannot be printed"),
        ("--owner", "", "owner: string should have at least 1 character"),
        ("--days", "9" * 12, "--days"),
    ],
)
def test_a_key_that_cannot_be_is_refused_in_a_sentence(option: str, value: str, said: str) -> None:
    arguments = ["keys", "new", "--owner", "a", "--scope", "infer", option, value]
    done = CliRunner().invoke(main, arguments, prog_name="nextchar")
    assert done.exit_code == 2
    assert said in done.stderr.splitlines()[-1]
