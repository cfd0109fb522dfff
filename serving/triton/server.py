"""How Triton's program is started."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from sub_module.errors import PlateflowError
from sub_module.files import point

_PROJECT = Path(__file__).resolve().parents[2]
# Where `make` unpacks the wheel nvidia-pytriton; of it only Triton is used.
WHEEL = Path(sys.prefix, "triton")
# Where NVIDIA's image has it.
_IMAGE = Path("/opt/tritonserver/bin/tritonserver")


class StartCommand(NamedTuple):
    """A program with its arguments, and its whole environment."""

    argv: list[str]
    env: dict[str, str]


class NoTritonError(PlateflowError):
    """Triton is not on this machine, or cannot run with this Python."""


def start_command(
    repository: Path,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    host: str = "127.0.0.1",
    wheel: Path = WHEEL,
) -> StartCommand:
    """How Triton is started on a model repository; it ends in order on SIGTERM.

    Its Python steps run with this process's Python environment.

    Args:
        repository: What `render` wrote.
        http_port: Of V2 over HTTP; Triton takes no 0 for one that is free.
        grpc_port: Of V2 over gRPC.
        metrics_port: Of Prometheus metrics.
        host: Where it listens.
        wheel: Where the wheel is unpacked, for when there is no `tritonserver` on the PATH.

    Raises:
        NoTritonError: There is no Triton, or not for this Python.
    """
    env = dict(os.environ)
    program, backends, paths = _installed() or _of_wheel(wheel, env)
    # Triton's Python takes its packages from the environment whose `python3` is on the PATH.
    env["PATH"] = os.pathsep.join([str(Path(sys.prefix, "bin")), env.get("PATH", os.defpath)])
    # Read by the steps themselves (see `repository`).
    env["PYTHONPATH"] = os.pathsep.join(map(str, [*paths, _PROJECT]))
    argv = [
        str(program),
        f"--model-repository={repository.resolve()}",
        f"--backend-directory={backends}",
        # The configs are complete; completing them would start each Python step twice.
        "--disable-auto-complete-config",
        f"--http-address={host}",
        f"--http-port={http_port}",
        f"--grpc-address={host}",
        f"--grpc-port={grpc_port}",
        f"--metrics-address={host}",
        f"--metrics-port={metrics_port}",
    ]
    return StartCommand(argv, env)


def _installed() -> tuple[Path, Path, list[Path]] | None:
    """Program, backends and paths of packages of a Triton that is installed, as in its image."""
    found = shutil.which("tritonserver") or shutil.which(_IMAGE)
    if found is None:
        return None
    program = Path(found).resolve()
    return program, program.parents[1] / "backends", []


def _of_wheel(wheel: Path, env: dict[str, str]) -> tuple[Path, Path, list[Path]]:
    """The same of the wheel, made ready to run; its libraries go into the environment."""
    root = wheel / "pytriton" / "tritonserver"
    program = root / "bin" / "tritonserver"
    if not program.is_file():
        raise NoTritonError(
            f"tritonserver is neither on the PATH nor at {program}; `make test` puts it there"
        )
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = root / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        raise NoTritonError(f"{root}: this Triton has no Python backend for Python {version}")
    # The backend starts what lies beside it.
    point(root / "backends" / "python" / stub.name, os.path.relpath(stub, root / "backends/python"))
    # And it is linked to Python's library, which need not be among the system's.
    libraries = [env.get("LD_LIBRARY_PATH"), str(wheel / "nvidia_pytriton.libs")]
    libraries += [sysconfig.get_config_var("LIBDIR")]
    env["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    # Its backend was built for NumPy 1, whose arrays it takes apart itself; that lies there too.
    return program, root / "backends", [wheel]
