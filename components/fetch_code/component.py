"""The component `fetch_code`: code of a work tree, for the other steps of a run on a cluster."""

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def fetch_code(volume: str, digest: str, place: str) -> None:
    """Unpack it on the volume; the other steps have it first on their PYTHONPATH."""
    from pathlib import Path

    from components.fetch_code.unpack import fetch
    from sub_module.errors import PlateflowError
    from sub_module.files import reason_of

    try:
        print(f"code in {fetch(Path(volume), digest, place)}")
    except PlateflowError as error:
        raise SystemExit(f"error: {error}") from error
    except OSError as error:
        raise SystemExit(f"error: {reason_of(error)}") from error
