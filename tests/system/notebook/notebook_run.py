"""Runs a notebook in the environment of the tool `notebook`; prints what each of its cells gave, as JSON.

Arguments: the notebook as text, and the folder that it runs in.
"""

import json
import sys

import jupytext
from nbclient import NotebookClient
from traitlets.config import Config

notebook = jupytext.read(sys.argv[1])
NotebookClient(
    notebook,
    timeout=300,
    resources={"metadata": {"path": sys.argv[2]}},
    config=Config({"KernelManager": {"transport": "ipc"}}),
).execute()
cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
json.dump(
    [
        {
            "source": cell.source,
            "text": "".join(
                out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in cell.outputs
            ),
            "num_images": sum("image/png" in out.get("data", {}) for out in cell.outputs),
        }
        for cell in cells
    ],
    sys.stdout,
)
