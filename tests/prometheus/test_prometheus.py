"""Alerts and dashboard in a real Prometheus."""

import json
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from world import CHART, PROMTOOL, ROOT, SELECTOR, World, eventually, rules

HERE = pathlib.Path(__file__).parent
BOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
# Metrics that Prometheus itself makes.
OF_PROMETHEUS = {"up"}
NAME = re.compile(r"\b(?:bellringer|process)_[a-z0-9_]+\b|\bup\b")


def queries():
    """Title and query of every panel, with Grafana's variables filled in."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$namespace", "bells")
            yield panel["title"], query.replace("$service", "bellringer-headless")


def family(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


class Rules(unittest.TestCase):
    def promtool(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "rules.yaml").write_text(rules())
            tests = (HERE / "alerts.test.yaml").read_text().replace("SELECTOR", SELECTOR)
            (folder / "alerts.test.yaml").write_text(tests)
            done = subprocess.run(
                [PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True
            )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_rules_are_sound(self):
        said = self.promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
        self.assertRegex(said, "SUCCESS: [0-9]+ rules found")

    def test_every_alert_comes_when_it_should_and_not_before(self):
        said = self.promtool("test", "rules", "alerts.test.yaml")
        self.assertIn("SUCCESS", said)
        tested = set(re.findall(r'alertname="(\w+)"', (HERE / "alerts.test.yaml").read_text()))
        self.assertEqual(tested, set(re.findall(r"- alert: (\w+)", rules())))

    def test_every_alert_has_an_entry_in_the_runbook(self):
        runbook = (ROOT / "server" / "RUNBOOK.md").read_text()
        headings = [line[3:] for line in runbook.splitlines() if line.startswith("## ")]
        alerts = re.findall(r"- alert: (\w+)", rules())
        self.assertEqual(headings, alerts)
        links = re.findall(r"runbook_url: RUNBOOK#(\w+)", rules())
        self.assertEqual(links, [alert.lower() for alert in alerts])
        for link in re.findall(r"\]\(#(\w+)\)", runbook):
            self.assertIn(link, links)


class Scraped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        # `rate` needs two readings of a counter; the last one to come is that of failed statements.
        for wanted in (
            "count(count_over_time(bellringer_leader[1m]) > 5) == 3",
            "count_over_time(bellringer_statement_errors_total[1m]) > 3",
        ):
            eventually(wanted, lambda q=wanted: cls.world.ask("query", query=q)["result"])

    def test_three_replicas_are_read_and_one_leads(self):
        up = self.world.ask("query", query=f"sum(up{{{SELECTOR}}})")["result"]
        self.assertEqual(up[0]["value"][1], "3", self.world.logs())
        leaders = self.world.ask("query", query=f"sum(bellringer_leader{{{SELECTOR}}})")["result"]
        self.assertEqual(leaders[0]["value"][1], "1", self.world.logs())

    def test_every_metric_that_alerts_and_dashboard_name_is_read(self):
        told = set()
        for text in self.world.scrapes():
            told |= set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        named = {}
        for title, query in [*queries(), *self.alerts()]:
            for name in NAME.findall(query):
                named.setdefault(name, title)
        self.assertGreater(len(named), 30)
        for name, title in sorted(named.items()):
            if name not in OF_PROMETHEUS:
                self.assertIn(family(name), told, f"{title}: no replica tells {name}")
        used = {family(name) for name in named} - OF_PROMETHEUS
        print(f"\n{len(used)} of {len(told)} metrics are named by alerts and dashboard")

    def test_every_query_of_the_dashboard_is_answered(self):
        now = time.time()
        count = 0
        for title, query in queries():
            with self.subTest(title, query=query):
                span = {"start": now - 60, "end": now, "step": 5}
                found = self.world.ask("query_range", query=query, **span)["result"]
                self.assertTrue(found, f"{title}: nothing for {query}\n{self.world.logs()}")
            count += 1
        print(f"\n{count} queries of {len(BOARD['panels'])} panels were answered")

    def test_every_variable_of_the_dashboard_has_values(self):
        for variable in BOARD["templating"]["list"]:
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
            if asked:
                series, label = asked[1].replace("$namespace", "bells"), asked[2]
                found = self.world.ask(f"label/{label}/values", **{"match[]": series})
                self.assertTrue(found, variable["name"])

    def test_every_alert_is_evaluated_and_a_healthy_server_raises_none_that_is_critical(self):
        (group,) = self.world.ask("rules")["groups"]
        eventually("rules are evaluated", lambda: self.states() - {"unknown"})
        self.assertEqual(len(group["rules"]), len(re.findall("- alert:", rules())))
        for rule in self.world.ask("rules")["groups"][0]["rules"]:
            self.assertEqual(rule["health"], "ok", f"{rule['name']}: {rule.get('lastError')}")
            critical = rule["labels"]["severity"] == "critical"
            self.assertFalse(critical and rule["state"] == "firing", rule["name"])

    def states(self):
        return {rule["health"] for rule in self.world.ask("rules")["groups"][0]["rules"]}

    def alerts(self):
        (group,) = self.world.ask("rules")["groups"]
        return [(rule["name"], rule["query"]) for rule in group["rules"]]


if __name__ == "__main__":
    unittest.main()
