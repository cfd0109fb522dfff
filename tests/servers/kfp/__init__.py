"""A Kubeflow Pipelines 2.17 API server that keeps what it is given, over real HTTP.

It validates every request, and every answer of its own, against the API's swagger, and has the
rules of the real server's source: names, lengths, pages, filters, who may use which namespace,
what a pipeline's YAML and a run's parameters must be. It has no Kubernetes below it: runs go on as
a script says, or are run by kfp.local in a directory that stands for the volume.
"""

import pytest

from tests.servers.kfp.login import Dex, Token
from tests.servers.kfp.play import Play
from tests.servers.kfp.run import Run
from tests.servers.kfp.server import KfpServer, serve_kfp
from tests.servers.kfp.swagger import SWAGGER

__all__ = ["Dex", "KfpServer", "Play", "Run", "Token", "needs_swagger", "serve_kfp"]

needs_swagger = pytest.mark.skipif(
    not SWAGGER.is_file(), reason=f"the swagger of Kubeflow Pipelines is not at {SWAGGER}"
)
