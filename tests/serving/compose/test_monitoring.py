"""Who watches the live server: health checks, and a real Prometheus with rules and dashboard."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.servers.predictor import ROOT, Predictor, wait_until
from tests.servers.predictor import predictor as predictor
from tests.servers.prometheus import Prometheus, running_prometheus
from tests.serving.compose.files import (
    DASHBOARD,
    FOLDER,
    PANELS,
    PROMETHEUS,
    ROUTES,
    RULE_FILES,
    RULES,
    SERVICES,
)

_PLAYED = Path(__file__).with_name("rules_test.yml")
_QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']}: {target['legendFormat'] or 'one'}")
    for panel in PANELS
    for target in panel.get("targets", [])
]
_RECORDED = [rule["record"] for rule in RULES if "record" in rule]


def test_promtool_is_content() -> None:
    for what, files in {
        "config": [FOLDER / "prometheus" / "prometheus.yml"],
        "rules": RULE_FILES,
    }.items():
        done = subprocess.run(["promtool", "check", what, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_do_what_they_say() -> None:
    done = subprocess.run(["promtool", "test", "rules", _PLAYED], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_been_played() -> None:
    played = yaml.safe_load(_PLAYED.read_text())["tests"]
    called = {
        case["alertname"]
        for test in played
        for case in test.get("alert_rule_test", [])
        if case["exp_alerts"]
    }
    assert called == {rule["alert"] for rule in RULES if "alert" in rule}


def test_panels_do_not_overlap_and_are_numbered() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, "the grid's width"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len({*numbers}) == len(numbers)


def test_the_dashboard_asks_the_source_that_is_provided() -> None:
    folder = FOLDER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    asked = {target["datasource"]["uid"] for panel in PANELS for target in panel.get("targets", [])}
    assert asked == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "plateflow.yaml").read_text())[
        "providers"
    ]
    mounted = [mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted


def test_the_health_checks_are_python(predictor: Predictor) -> None:
    """What runs in the container, against the server here."""
    script = SERVICES["predictor"]["healthcheck"]["test"][-1]
    here = script.replace("http://127.0.0.1:8080", predictor.url)
    assert here != script
    exec(compile(here, "healthcheck", "exec"), {})
    with pytest.raises(OSError, match="refused"):
        exec(compile(script.replace(":8080", ":9"), "healthcheck", "exec"), {})


def test_traefik_asks_for_what_is_there(predictor: Predictor) -> None:
    path = ROUTES["services"]["predictor"]["loadBalancer"]["healthCheck"]["path"]
    assert httpx.get(predictor.url + path).status_code == 200
    served = httpx.get(f"{predictor.url}/openapi.json").json()["paths"]
    rule = ROUTES["routers"]["predictor"]["rule"]
    exact = re.findall(r"(?<!\w)Path\(`([^`]+)`\)", rule)
    below = re.findall(r"PathPrefix\(`([^`]+)`\)", rule)
    assert {path for path in served if path in exact or path.startswith(tuple(below))} >= {
        "/read",
        "/v2",
        "/v2/health/ready",
    }
    assert all(any(path.startswith(prefix) for path in served) for prefix in [*exact, *below])


@pytest.fixture(scope="module")
def prometheus(
    predictor: Predictor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """The committed configuration with other targets and shorter pauses, after some requests."""
    folder = tmp_path_factory.mktemp("prometheus")
    for file in RULE_FILES:
        shutil.copy(file, folder)
    config = copy.deepcopy(PROMETHEUS)
    config["global"] = dict.fromkeys(config["global"], "200ms")
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "predictor")
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [httpx.URL(predictor.url).netloc.decode()]}]
    config["scrape_configs"] = [job]
    with running_prometheus(folder, config) as server:
        for number in (1, 2):
            make_requests(predictor)
            # A rate needs a value from before, and recorded rules another round.
            wait_until(lambda: counted(server).get("200") == number, 20)  # noqa: B023 - called here
        wait_until(lambda: any(row["value"] > 0 for row in server.ask(_RECORDED[0])), 20)
        yield server


def counted(prometheus: Prometheus) -> dict[str, float]:
    """Requests by their answer's status, as Prometheus knows them now."""
    rows = prometheus.ask("sum by (code) (plateflow_requests_total)")
    return {row["labels"]["code"]: row["value"] for row in rows}


def make_requests(predictor: Predictor) -> None:
    """Of each protocol, some that are read and some that are not."""
    image = (ROOT / "docs" / "samples" / "coffee.jpg").read_bytes()
    for content, status in [(image, 200), (b"no image", 400)]:
        assert httpx.post(f"{predictor.url}/read", content=content).status_code == status


@pytest.mark.parametrize("query", _QUERIES)
def test_the_dashboards_queries_have_answers(prometheus: Prometheus, query: str) -> None:
    asked = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
    assert "$" not in asked
    values = [row["value"] for row in prometheus.ask(asked)]
    assert values, asked
    assert any(value == value for value in values), "not a number"


def test_the_servers_to_choose_from(prometheus: Prometheus) -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
    assert found
    assert variable["query"]["query"] == variable["definition"]
    assert [found[2] in row["labels"] for row in prometheus.ask(found[1])] == [True]


@pytest.mark.parametrize("name", _RECORDED)
def test_what_is_recorded(prometheus: Prometheus, name: str) -> None:
    assert prometheus.ask(name)


def test_alerts_know_the_servers_metrics(prometheus: Prometheus) -> None:
    """Each metric that a rule asks is one that the server has, and none fires."""
    known = {row["labels"]["__name__"] for row in prometheus.ask('{__name__=~".+"}')}
    asked = {name for rule in RULES for name in re.findall(r"plateflow_\w+", rule["expr"])}
    assert asked
    for name in asked:
        assert any(name in one for one in known), name
    assert prometheus.ask('ALERTS{alertstate="firing"}') == []


def test_everything_was_counted(prometheus: Prometheus) -> None:
    assert counted(prometheus) == {"200": 2, "400": 2}
    assert prometheus.ask("sum(plateflow_plates_total)")[0]["value"] == 4
    assert prometheus.ask("sum(plateflow_rejected_total)")[0]["value"] == 2
