"""Mines templates of log lines with drain3, JSON in and out: how rare each line's template is by then.

`python drain3_templates.py [SIMILARITY]`: by default its own settings, with addresses and numbers masked as
its documentation does; with a threshold of similarity, that, addresses masked, and lines cut at the
punctuation of requests too. A line of a new template is flagged.
"""

import json
import math
import sys

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

_MASKS = (
    (r"(?<![A-Za-z0-9])(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?![A-Za-z0-9])", "IP"),
    (r"(?<![A-Za-z0-9])([\-\+]?\d+)(?![A-Za-z0-9])", "NUM"),
)
_PUNCTUATION = '/?=&"'


def main() -> None:
    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in _MASKS]
    if len(sys.argv) > 1:
        config.drain_sim_th = float(sys.argv[1])
        config.drain_extra_delimiters = list(_PUNCTUATION)
        del config.masking_instructions[1:]
    miner, scores, flagged = TemplateMiner(config=config), [], []
    for number, line in enumerate(json.load(sys.stdin), 1):
        found = miner.add_log_message(line)
        scores.append(math.log(number / found["cluster_size"]))
        flagged.append(found["change_type"] == "cluster_created")
    print(json.dumps({"scores": scores, "flagged": flagged}))


main()
