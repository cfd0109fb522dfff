"""What the steps of the tiny pipeline do, as their config says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from components.step import Result, Step
from sub_module.errors import DataError, RunError
from sub_module.files import write_json


def work(step: Step) -> Result:
    """`does`: count, mistake, crash, die, refuse (after a test), fill (the disk), sleep."""
    settings = step.config[step.component]
    step.progress(1, 2, "half")
    match settings["does"]:
        case "mistake":
            raise DataError("a.jpg: truncated")
        case "crash":
            raise ValueError("not my day")
        case "refuse":
            write_json(step.run_dir / "test" / "readings.json", {"images": [], "metrics": {}})
            raise RunError("not deployed: EIR 0.1 is below deploy.min_eir 0.5")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fill":
            Path("/dev/full").write_text("x")
        case "sleep":
            child = subprocess.Popen(["sleep", "600"])
            step.folder.mkdir(parents=True, exist_ok=True)
            (step.folder / "pids").write_text(f"{os.getpid()} {child.pid}")
            time.sleep(600)
    said = {
        "number": settings["number"],
        "environment": os.environ.get("PLATEFLOW_TEST"),
        "directory": os.getcwd(),
        "temporary": tempfile.gettempdir(),
        "stdin": os.read(0, 1).decode(),
    }
    out = step.folder / "said.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(said))
    print(f"{step.component} was here")
    return Result({"numbers": out}, {"number": float(settings["number"])})
