"""Settings: four sources in order, no name that is not one, a unit for every number."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from nextchar.entrypoints.commands.serve import serve
from nextchar.entrypoints.main import main
from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_reference import SUBJECTS, SettingText, setting_texts
from nextchar.errors import SettingsInvalid

TEXTS = list(setting_texts())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nextchar.toml"
    path.write_text('http_port = 1\ngrpc_port = 2\nmetrics_port = 3\nlog_level = "error"\n')
    return path


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_HTTP_PORT", "11")
    monkeypatch.setenv("NEXTCHAR_GRPC_PORT", "12")
    settings = Settings(config=file, http_port=21)
    assert (settings.http_port, settings.grpc_port, settings.metrics_port) == (21, 12, 3)
    assert (settings.log_level, settings.host) == ("error", "127.0.0.1")


def test_the_file_may_be_named_by_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCHAR_CONFIG", str(file))
    assert Settings().grpc_port == 2


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().host = "x"


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("NEXTCHAR_HTP_PORT", "did you mean NEXTCHAR_HTTP_PORT?"),
        ("NEXTCHAR_MAX_SESSION", "did you mean NEXTCHAR_MAX_SESSIONS?"),
        ("NEXTCHAR_SESSION_STOR", "did you mean NEXTCHAR_SESSION_STORE?"),
        ("NEXTCHAR_ZZZ", "--help lists them"),
    ],
)
def test_an_unknown_variable_is_an_error_that_suggests_the_nearest_name(
    variable: str, suggestion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsInvalid) as error:
        Settings()
    assert f"there is no setting {variable}; " in error.value.message
    assert error.value.message.endswith(suggestion)


# What a pod finds beside services nextchar, nextchar-valkey and nextchar-headless with two ports each.
LINKS = {
    "NEXTCHAR_SERVICE_HOST": "10.0.0.7",
    "NEXTCHAR_SERVICE_PORT": "8000",
    "NEXTCHAR_SERVICE_PORT_HTTP": "8000",
    "NEXTCHAR_PORT": "tcp://10.0.0.7:8000",
    "NEXTCHAR_PORT_8000_TCP": "tcp://10.0.0.7:8000",
    "NEXTCHAR_PORT_8000_TCP_PROTO": "tcp",
    "NEXTCHAR_PORT_8000_TCP_PORT": "8000",
    "NEXTCHAR_PORT_8000_TCP_ADDR": "10.0.0.7",
    "NEXTCHAR_VALKEY_SERVICE_HOST": "10.0.0.8",
    "NEXTCHAR_VALKEY_PORT": "tcp://10.0.0.8:6379",
    "NEXTCHAR_HEADLESS_SERVICE_PORT_GRPC": "8001",
}


def test_the_links_of_kubernetes_services_break_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in LINKS.items():
        monkeypatch.setenv(variable, value)
    assert Settings().http_port == 8000


def test_a_link_that_hides_a_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCHAR_HTTP_PORT", "tcp://10.0.0.7:80")
    with pytest.raises(SettingsInvalid, match="enableServiceLinks: false"):
        Settings()


def test_a_file_that_is_not_there_not_toml_or_misspelt_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    with pytest.raises(SettingsInvalid, match=r"cannot read .*s\.toml"):
        Settings(config=path)
    path.write_text("a b")
    with pytest.raises(SettingsInvalid, match=r"is not TOML: .*line 1"):
        Settings(config=path)
    path.write_text("max_lane = 3")
    with pytest.raises(SettingsInvalid, match="no setting 'max_lane'; did you mean max_lanes"):
        Settings(config=path)


@pytest.mark.parametrize("window", [-1, 1, 1000, 1025, 1 << 17])
def test_a_window_that_no_text_can_have_is_refused(window: int) -> None:
    assert [Settings(max_adaptive_window=fits).max_adaptive_window for fits in (0, 1024, 65_536)]
    with pytest.raises(ValidationError, match="max_adaptive_window"):
        Settings(max_adaptive_window=window)


def test_tables_have_room_for_one_text_at_least() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 4194304"):
        Settings(max_adaptive_table_bytes=(4 << 20) - 1)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_every_setting_has_a_sentence_a_unit_if_it_is_a_number_and_a_default(text: SettingText) -> None:
    assert re.match(r"[A-Za-z].*\.$", text.text)
    annotation = str(Settings.model_fields[text.name].annotation)
    assert bool(text.unit) == bool(re.search(r"\b(int|float)\b", annotation))
    assert text.default


def test_the_help_tells_all_that_is_known_of_every_setting() -> None:
    shown = "".join(CliRunner().invoke(main, ["serve", "--help"]).stdout.split())
    for text in TEXTS:
        assert "".join(f"{text.flags} {text.shown}".split()) in shown  # lines break anywhere


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_help_breaks_no_word(columns: int) -> None:
    shown = CliRunner().invoke(main, ["serve", "--help"], terminal_width=columns).stdout
    words = set(re.sub(r"[;\]]", "", shown).split())
    assert {word for text in TEXTS for word in (text.flag, text.variable)} <= words


def test_the_help_lists_settings_by_subject() -> None:
    shown = CliRunner().invoke(main, ["serve", "--help"]).stdout
    found = re.findall(r"^(\S.*):$", shown, re.MULTILINE)
    assert found == [*(subject for subject in SUBJECTS if subject != "Other"), "Options"]
    assert all(len({text.subject for text in TEXTS if text.subject == each}) == 1 for each in found[:-1])


SWITCHES = [text for text in TEXTS if text.is_switch]


def given(*arguments: str) -> dict[str, str | None]:
    """What `nextchar serve` takes from its arguments."""
    context = serve.make_context("serve", list(arguments))
    return {name: value for name, value in context.params.items() if value is not None}


@pytest.mark.parametrize("text", SWITCHES, ids=lambda text: text.name)
def test_a_switch_needs_no_value(text: SettingText) -> None:
    off = f"--no-{text.flag[2:]}"
    assert given(text.flag, "--host", "h") == {text.name: "true", "host": "h"}
    assert given(off) == given(text.flag, off) == {text.name: "false"}
    assert given(off, text.flag) == {text.name: "true"}
    assert given(f"{text.flag}=false") == given(text.flag, "false") == {text.name: "false"}
    assert Settings(**given(off)) == Settings(**{text.name: False})


def test_there_are_switches_and_only_they_have_an_opposite() -> None:
    assert {"lenient_fields", "strict_characters", "playground"} <= {text.name for text in SWITCHES}
    refused = CliRunner().invoke(main, ["serve", "--no-host"])
    assert (refused.exit_code, "No such option" in refused.stderr) == (2, True)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_an_empty_variable_is_as_if_it_were_not_set(
    text: SettingText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(text.variable, "")
    assert Settings() == Settings.model_construct()


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_an_empty_flag_is_refused_by_its_name(text: SettingText) -> None:
    done = CliRunner().invoke(main, ["serve", text.flag, ""])
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"Error: {text.name}")


@pytest.mark.parametrize("value", ["{", "3", '"a"', '{"a": "b"}', '{"a": 0}', "[" * 100_000])
@pytest.mark.parametrize("variable", [True, False])
def test_a_wrong_dictionary_is_one_clear_error(value: str, variable: bool) -> None:
    name = "NEXTCHAR_MODEL_SESSION_TTL_SECONDS"
    arguments = [] if variable else ["--model-session-ttl-seconds", value]
    done = CliRunner(env={name: value if variable else None}).invoke(main, ["serve", *arguments])
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert done.stderr.startswith("Error: model_session_ttl_seconds")


def test_a_dictionary_is_read_from_a_flag_a_variable_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nextchar.toml"
    path.write_text("model_session_ttl_seconds = {a = 1.5}")
    assert Settings(config=path).model_session_ttl_seconds == {"a": 1.5}
    monkeypatch.setenv("NEXTCHAR_MODEL_SESSION_TTL_SECONDS", '\ufeff{"a": 2}')
    assert Settings().model_session_ttl_seconds == {"a": 2}
    assert Settings(model_session_ttl_seconds='{"a": 3}').model_session_ttl_seconds == {"a": 3}  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize(
    "text", [text for text in TEXTS if text.unit == "seconds"], ids=lambda text: text.name
)
def test_a_time_is_a_finite_number(text: SettingText, value: str) -> None:
    given = f'{{"a": "{value}"}}' if text.name.startswith("model_session") else value
    done = CliRunner().invoke(main, ["serve", f"{text.flag}={given}"])
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"Error: {text.name}")


def test_a_null_character_is_refused_by_the_name_of_its_setting(tmp_path: Path) -> None:
    path = tmp_path / "nextchar.toml"
    for name in ("models", "data_dir", "api_keys_file", "host"):
        path.write_text(f'{name} = "a\\u0000b"')
        done = CliRunner().invoke(main, ["serve", "--config", str(path)])
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert done.stderr.startswith(f"Error: {name}")
