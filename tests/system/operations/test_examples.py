"""The examples of operations/examples/ are well-formed, as the programs that read them say."""

import subprocess
from pathlib import Path

from support.tools import debian_program

_EXAMPLES = Path(__file__).parents[3] / "operations/examples"


def test_haproxy_takes_its_configuration() -> None:
    haproxy = debian_program("haproxy", "haproxy")
    subprocess.run([haproxy, "-c", "-f", _EXAMPLES / "haproxy.cfg"], check=True, capture_output=True)


def test_prometheus_takes_its_configuration() -> None:
    promtool = debian_program("promtool", "prometheus")
    subprocess.run(
        [promtool, "check", "config", _EXAMPLES / "prometheus.yml"], check=True, capture_output=True
    )
