"""The wheel works in an empty environment with the serving requirements only."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_MODEL = _ROOT / "models" / "shakespeare"


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "NEXTCHAR_"))}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=600,
        env=env,
        check=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, _ROOT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the bin folder of an environment with the wheel and the serving requirements."""
    environment = tmp_path_factory.mktemp("alone") / "venv"
    run(sys.executable, "-m", "venv", environment)
    pip = (environment / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet")
    run(*pip, "--require-hashes", "-r", _ROOT / "requirements" / "serve.txt")
    run(*pip, "--no-deps", wheel)
    return environment / "bin"


def test_it_scores_a_string(alone: Path, tmp_path: Path) -> None:
    found = run(alone / "nextchar", "score", _MODEL, "hello", "htktt", "--json", cwd=tmp_path)
    hello, htktt = (item["logprob"] for item in json.loads(found.stdout)["data"])
    assert hello - htktt >= 10


def test_it_has_neither_torch_nor_onnx_and_its_requirements_agree(alone: Path) -> None:
    names = {
        p["name"] for p in json.loads(run(alone / "python", "-m", "pip", "list", "--format=json").stdout)
    }
    assert not names & {"torch", "onnx", "pandas", "scipy", "transformers"}
    run(alone / "python", "-m", "pip", "check")


def test_every_serving_module_imports(alone: Path, tmp_path: Path) -> None:
    code = (
        "import pkgutil, importlib, nextchar\n"
        "extras = ('.stores.valkey', '.batch.kinds.', '.files.parquet')\n"
        "for m in pkgutil.walk_packages(nextchar.__path__, 'nextchar.'):\n"
        "    if not any(part in m.name for part in extras): importlib.import_module(m.name)"
    )
    run(alone / "python", "-W", "error", "-c", code, cwd=tmp_path)


def test_valkey_says_what_to_install(alone: Path, tmp_path: Path) -> None:
    options = [
        "--models",
        str(Path(__file__).parents[3] / "models"),
        "--session-store",
        "valkey://127.0.0.1:1",
    ]
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(alone / "nextchar", "serve", *options, cwd=tmp_path)
    assert "pip install 'nextchar[valkey]'" in caught.value.stderr


def test_training_commands_say_what_to_install(alone: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(alone / "nextchar", "train", "--corpus", "x", cwd=tmp_path)
    assert "pip install torch==2.13.0 'nextchar[train]'" in caught.value.stderr
    assert len(caught.value.stderr.splitlines()) == 1


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {"nextchar", "nextchar_training"} == {top for top in tops if not top.endswith(".dist-info")}
    assert {"nextchar/py.typed", "nextchar_training/py.typed", "nextchar/pb/nextchar_pb2_grpc.py"} <= set(
        names
    )
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    web = _ROOT / "server" / "nextchar" / "rest" / "web"
    page = {f"nextchar/rest/web/{path.relative_to(web)}" for path in web.rglob("*.*")}
    assert {name for name in names if name.startswith("nextchar/rest/web/")} == page
    assert all(
        name.endswith((".py", ".pyi", "py.typed")) or ".dist-info/" in name for name in {*names} - page
    )
