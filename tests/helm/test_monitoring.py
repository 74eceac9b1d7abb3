"""Alerts and the dashboard: true of the metrics that there are."""

import json
import re
import unittest

import promql_parser

import chart
from chart import Refused, load, merged, render, selects

SOURCES = "".join(path.read_text() for path in (chart.ROOT / "server/src").rglob("*.rs"))
# As metrics.rs writes names: without the prefix, or whole.
TOLD = {name.removeprefix("bellringer_") for name in re.findall(r'"([a-z][a-z0-9_]+)"', SOURCES)}


def metrics(expression: str):
    """Names of metrics in an expression."""
    tree = promql_parser.parse(expression)
    names, found = [tree], set()
    while names:
        one = names.pop()
        if isinstance(one, promql_parser.VectorSelector):
            found.add(one.name)
        for part in ("expr", "lhs", "rhs", "vector_selector", "vs", "param"):
            inner = getattr(one, part, None)
            if inner is not None:
                names.append(inner)
        names.extend(getattr(one, "args", None) or [])
    return found


def is_told(name: str) -> bool:
    """Whether Prometheus, or the server, has a metric of that name."""
    if name == "up":
        return True
    if name.startswith("process_"):
        return name.removesuffix("_total") in TOLD
    short = name.removeprefix("bellringer_")
    return name.startswith("bellringer_") and any(
        short.removesuffix(end) in TOLD for end in ("", "_total", "_bucket", "_sum", "_count", "_info")
    )


class Monitoring(unittest.TestCase):
    def setUp(self):
        self.objects = render(load("monitoring"))
        self.rules = self.objects.one("PrometheusRule")["spec"]["groups"][0]["rules"]
        boards = self.objects.one("ConfigMap", "bellringer-dashboard")["data"]
        self.board = json.loads(boards["bells-bellringer.json"])

    def queries(self):
        for panel in self.board["panels"]:
            for target in panel["targets"]:
                # Grafana fills in its variables before Prometheus sees the query.
                yield panel["title"], target["expr"].replace("$namespace", "n").replace(
                    "$service", "s"
                )

    def test_the_helper_sees_through_every_shape_of_expression(self):
        expression = 'sum by (a) (increase(one{x="y"}[5m])) / (two > 3) or absent(three == bool 1)'
        self.assertEqual(metrics(expression), {"one", "two", "three"})
        self.assertTrue(is_told("bellringer_leader"))
        self.assertFalse(is_told("bellringer_surely_not_there"))

    def test_alerts_and_dashboard_use_only_metrics_that_there_are(self):
        expressions = [(rule["alert"], rule["expr"]) for rule in self.rules] + list(self.queries())
        self.assertGreater(len(expressions), 10)
        for title, expression in expressions:
            names = metrics(expression)
            self.assertTrue(names, title)
            for name in names:
                self.assertTrue(is_told(name), f"{title}: no metric {name}")

    def test_keda_goes_by_the_age_that_the_server_tells_or_by_ones_own_query(self):
        def query(name):
            (trigger,) = render(load(name)).one("ScaledObject")["spec"]["triggers"]
            return trigger["metadata"]["query"]

        self.assertIn('namespace="bells", service="bellringer-headless"', query("keda"))
        for name in metrics(query("keda")):
            self.assertTrue(is_told(name), name)
        self.assertEqual(
            query("keda-query"), load("keda-query")["autoscaling"]["keda"]["query"]
        )

    def test_alerts_select_this_release_by_the_labels_of_its_service_monitor(self):
        for rule in self.rules:
            self.assertIn('namespace="bells", service="bellringer-headless"', rule["expr"])
            self.assertNotIn("SELECTOR", rule["expr"])
        monitor = self.objects.one("ServiceMonitor")["spec"]
        found = [
            one["metadata"]["name"]
            for one in self.objects.of("Service")
            if selects(monitor["selector"]["matchLabels"], one["metadata"]["labels"])
        ]
        self.assertEqual(found, ["bellringer-headless"])
        ports = [port["name"] for port in self.objects.one("Service", found[0])["spec"]["ports"]]
        self.assertIn(monitor["endpoints"][0]["port"], ports)

    def test_every_alert_says_how_bad_it_is_and_what_to_do(self):
        for rule in self.rules:
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            self.assertEqual(rule["labels"]["team"], "platform")
            self.assertLessEqual({"summary", "description"}, set(rule["annotations"]))
            page = f"server/RUNBOOK.md#{rule['alert'].lower()}"
            self.assertEqual(rule["annotations"]["runbook_url"], page)

    def test_alerts_can_be_left_out(self):
        self.assertNotIn("BellringerTwoLeaders", [rule["alert"] for rule in self.rules])
        everything = merged(load("monitoring"), {"metrics": {"prometheusRule": {"disabled": []}}})
        rules = render(everything).one("PrometheusRule")["spec"]["groups"][0]["rules"]
        self.assertEqual(len(rules), len(self.rules) + 1)

    def test_prometheus_fills_in_labels_that_its_alert_has(self):
        for rule in self.rules:
            if "$labels.pod" in rule["annotations"]["description"]:
                self.assertFalse(re.match(r"(sum|max|absent)\b", rule["expr"]), rule["alert"])

    def test_panels_do_not_overlap_and_have_ids_of_their_own(self):
        taken = {}
        for panel in self.board["panels"]:
            place = panel["gridPos"]
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertLess(x, 24)
                    self.assertNotIn((x, y), taken, panel["title"])
                    taken[x, y] = panel["title"]
            self.assertTrue(panel["description"])
        self.assertEqual(
            len({panel["id"] for panel in self.board["panels"]}), len(self.board["panels"])
        )

    def test_what_needs_something_else_says_so(self):
        rule = {"metrics": {"prometheusRule": {"enabled": True}}}
        with self.assertRaisesRegex(Refused, "serviceMonitor.enabled"):
            render(rule)
        monitor = {"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}}
        with self.assertRaisesRegex(Refused, "needs metrics.enabled"):
            render(monitor)

    def test_without_metrics_nobody_listens(self):
        objects = render(load("metrics-off"))
        self.assertNotIn("metrics", objects.toml())
        for service in objects.of("Service"):
            self.assertNotIn("metrics", [port["name"] for port in service["spec"]["ports"]])
