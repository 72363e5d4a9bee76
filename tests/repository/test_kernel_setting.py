"""The choice of compiled cells reaches the models that are opened."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.tiny_models import TEXT, write_models

from nextchar.entrypoints.settings import Settings
from nextchar.model.kernels.opening import KernelChoice
from nextchar.repository.checked_graph import open_checked
from nextchar.repository.folder import find_model


@pytest.mark.parametrize(("choice", "num_lines"), [("auto", 1), ("off", 0)])
def test_a_package_of_another_release_is_looked_at_only_where_it_may_be_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    choice: KernelChoice,
    num_lines: int,
) -> None:
    monkeypatch.setitem(sys.modules, "nextchar_kernels", SimpleNamespace(INTERFACE=0))
    found = find_model(write_models(tmp_path, {"tiny": TEXT}) / "tiny", "auto")
    assert open_checked(found, choice).kernels == ""
    assert len(caplog.records) == num_lines


def test_compiled_cells_are_used_where_they_are_installed_unless_a_setting_says_otherwise() -> None:
    assert Settings().kernels == "auto"
    assert Settings(kernels="off").kernels == "off"
    with pytest.raises(ValueError, match=r"kernels\n.*'auto' or 'off'"):
        Settings(kernels="on")  # type: ignore[arg-type]
