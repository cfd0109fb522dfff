"""compose.yaml and the routes, against each other and the code."""

from __future__ import annotations

import re
import tomllib

import httpx
import pytest
import yaml

from serving.demo.settings import demo_settings
from serving.predictor.settings import predictor_settings
from tests.servers.predictor import ROOT
from tests.serving.compose.files import COMPOSE, FOLDER, ROUTES, SERVICES


def variables(text: str) -> dict[str, str]:
    """`${NAME:-default}` of a file; each must have a default."""
    found = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?\}", text)
    defaults: dict[str, str] = {}
    for name, default in found:
        assert defaults.setdefault(name, default) == default, f"two defaults of {name}"
    return defaults


def test_the_example_names_every_variable_with_its_default() -> None:
    lines = (FOLDER / ".env.example").read_text().splitlines()
    named = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert named == variables((FOLDER / "compose.yaml").read_text())


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = variables((FOLDER / "compose.yaml").read_text())["PLATEFLOW_VERSION"]
    assert version == project["version"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_whole_and_careful(name: str) -> None:
    service = SERVICES[name]
    if "PLATEFLOW" not in service["image"]:
        assert re.search(r":v?\d+\.\d+", service["image"]), "a tag that means one version"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {*service["networks"]} <= {*COMPOSE["networks"]}
    assert {*service.get("depends_on", [])} <= {*SERVICES}
    for mount in service.get("volumes", []):
        source, target, *mode = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")
        if source in COMPOSE["volumes"]:
            assert not mode, "it is written to"
        else:
            assert mode == ["ro"]
            assert (FOLDER / source).exists()
        assert target.startswith("/")
    if "build" in service:
        context = (FOLDER / service["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()


def test_only_traefik_is_reached_from_outside_and_reaches_out() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["traefik"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    outside = [name for name, service in SERVICES.items() if "outside" in service["networks"]]
    assert outside == ["traefik"]
    for port in SERVICES["traefik"]["ports"]:
        assert port.startswith("${PLATEFLOW_ADDRESS:-127.0.0.1}:")
    text = (FOLDER / "compose.yaml").read_text()
    assert "docker.sock" not in text


def test_every_route_leads_to_a_port_that_listens() -> None:
    listens = {
        "predictor": {8080: "http", 8081: "h2c"},
        "demo": {demo_settings().port: "http"},
        "grafana": {3000: "http"},
    }
    settings = predictor_settings()
    assert (settings.http_port, settings.grpc_port) == (8080, 8081)
    static = yaml.safe_load((FOLDER / "traefik" / "traefik.yaml").read_text())
    for router in ROUTES["routers"].values():
        assert {*router["entryPoints"]} <= {*static["entryPoints"]}
        (server,) = ROUTES["services"][router["service"]]["loadBalancer"]["servers"]
        url = httpx.URL(server["url"])
        assert url.host in SERVICES
        assert listens[url.host][url.port or 0] == url.scheme
    published = [int(port.rsplit(":", 1)[1]) for port in SERVICES["traefik"]["ports"]]
    entries = [int(static["entryPoints"][name]["address"].strip(":")) for name in ("http", "grpc")]
    assert published == entries


def test_who_is_in_flight_has_time_to_end() -> None:
    grace = SERVICES["predictor"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > predictor_settings().drain_seconds


@pytest.mark.parametrize("name", ["predictor", "demo"])
def test_the_command_is_one_that_the_program_takes(name: str) -> None:
    """Containers run the module with these arguments; here only the addresses differ."""
    command = SERVICES[name]["command"]
    options = dict(zip(command[::2], command[1::2], strict=True))
    assert {*options} <= {"--model", "--url", "--set"}
    key, value = options["--set"].split("=")
    settings = {"predictor": predictor_settings, "demo": demo_settings}[name]({key: value})
    assert settings.host == "0.0.0.0", "a container is reached from others"
