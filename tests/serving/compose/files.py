"""The committed files of the compose stack, loaded."""

from __future__ import annotations

import json

import yaml

from tests.servers.predictor import ROOT

FOLDER = ROOT / "serving" / "compose"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
ROUTES = yaml.safe_load((FOLDER / "traefik" / "routes.yaml").read_text())["http"]
PROMETHEUS = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())
RULE_FILES = [FOLDER / "prometheus" / name for name in PROMETHEUS["rule_files"]]
RULES = [
    rule
    for file in RULE_FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "plateflow.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
