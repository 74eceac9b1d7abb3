"""Values, their schema, the README and the notes say the same."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

import chart
import docs
from chart import Refused, load, merged, render

VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
META = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
TEMPLATES = "".join(
    path.read_text() for path in sorted((chart.CHART / "templates").rglob("*")) if path.is_file()
)


def notes(values) -> str:
    """What Helm tells who installs it. Helm prints it after an installation only, so a copy of the chart has
    it as a template like the others."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "bellringer"
        shutil.copytree(chart.CHART, copy)
        told = (copy / "templates" / "NOTES.txt").read_text()
        (copy / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + told + "{{ end }}")
        (copy / "templates" / "notes.yaml").write_text('notes: {{ include "notes" . | toJson }}')
        command = [
            chart.HELM,
            "template",
            "bellringer",
            copy,
            "--namespace",
            "bells",
            "--values",
            "-",
            "--kube-version",
            "1.37.0",
            "--show-only",
            "templates/notes.yaml",
        ]
        done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["notes"]


class Docs(unittest.TestCase):
    def test_readme_and_schema_are_what_the_values_say(self):
        for path, expected in docs.made().items():
            self.assertEqual(path.read_text(), expected, "run tests/helm/docs.py")

    def test_a_value_without_a_comment_is_found(self):
        with self.assertRaisesRegex(ValueError, "no comment for a.c"):
            docs.check_complete({"a": {"b": 1, "c": 2}}, {("a", "b"): "x"})
        with self.assertRaisesRegex(ValueError, "without a key"):
            docs.comments("# -- lost\n\na: 1\n")

    def test_every_value_is_used(self):
        for path in docs.comments((chart.CHART / "values.yaml").read_text()):
            self.assertRegex(TEMPLATES, rf"\.{path[-1]}\b", ".".join(path))

    def test_the_schema_knows_exactly_the_values(self):
        def compare(values, schema, path):
            if "properties" not in schema:
                return
            self.assertIs(schema["additionalProperties"], False, path)
            extra = {"global", "enabled"} if not path else {"initialDelaySeconds", "claims"}
            self.assertEqual(set(values) - set(schema["properties"]), set(), path)
            if path[-1:] not in (["resources"], ["issuerRef"], ["authenticationRef"]):
                self.assertEqual(set(schema["properties"]) - set(values) - extra, set(), path)
            for key, inner in schema["properties"].items():
                if isinstance(values.get(key), dict):
                    compare(values[key], inner, [*path, key])

        compare(VALUES, SCHEMA, [])

    def test_what_the_schema_does_not_know_is_refused(self):
        for path in docs.leaves(VALUES):
            if path[0] in (
                "config",
                "podSecurityContext",
                "securityContext",
                "topologySpreadConstraints",
            ):
                continue
            if "behavior" in path or "labels" in path:
                continue
            values = {"surprise": 1}
            for key in reversed(path[:-1]):
                values = {key: values}
            if "requests" in path or "limits" in path:
                continue
            with self.assertRaisesRegex(Refused, "surprise", msg=path):
                render(values)

    def test_wrong_values_are_refused_by_name(self):
        for values, named in (
            ({"replicas": "two"}, "replicas"),
            ({"replicas": -1}, "replicas"),
            ({"database": {"url": "mysql://u@h/d"}}, "url"),
            ({"migrations": {"mode": "job"}}, "mode"),
            ({"health": {"port": 7117}}, "port"),
            ({"metrics": {"port": 80}}, "port"),
            ({"image": {"digest": "abc"}}, "digest"),
            ({"config": {"log": "debug"}}, "log"),
            ({"bindAddress": "localhost"}, "bindAddress"),
            ({"bindAddress": "::"}, "bindAddress"),
            ({"fullnameOverride": "Upper"}, "fullnameOverride"),
            ({"service": {"extraSpec": {"selector": {}}}}, "selector"),
            ({"podDisruptionBudget": {"maxUnavailable": 0}}, "maxUnavailable"),
            ({"podAntiAffinity": "always"}, "podAntiAffinity"),
            ({"postgres": {"storage": {"size": "two"}}}, "size"),
        ):
            with self.subTest(values):
                with self.assertRaisesRegex(Refused, named):
                    render(values)

    def test_a_chart_around_this_one_may_hand_things_down(self):
        render({"global": {"region": "eu"}, "enabled": True})

    def test_the_chart_installs_the_server_of_this_tree(self):
        cargo = (chart.ROOT / "Cargo.toml").read_text()
        version = re.search(r'(?m)^version = "(.*)"$', cargo)[1]
        self.assertEqual(META["appVersion"], version)
        self.assertTrue(render({}).container()["image"].endswith(f":{version}"))

    def test_it_can_be_packaged_and_installed_from_the_package(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [chart.HELM, "package", chart.CHART, "--destination", folder],
                check=True,
                capture_output=True,
            )
            package = f"{folder}/bellringer-{META['version']}.tgz"
            subprocess.run(
                [
                    chart.HELM,
                    "template",
                    "r",
                    package,
                    "--kube-version",
                    "1.37.0",
                    "--set",
                    "metrics.dashboard.enabled=true",
                ],
                check=True,
                capture_output=True,
            )


class Notes(unittest.TestCase):
    def test_the_trial_is_called_a_trial(self):
        told = notes({})
        for words in (
            "helm -n bells test bellringer",
            "no backup",
            "database.existingSecret.name",
            "bellringer.bells.svc:7117",
            "neither TLS nor authentication",
        ):
            self.assertIn(words, told)

    def test_the_real_thing_is_not_warned_of(self):
        told = notes(merged(load("production"), {"config": {"auth": {"mechanisms": ["keys"]}}}))
        self.assertNotIn("WARNING", told)
        self.assertNotIn("no backup", told)

    def test_who_is_locked_out_is_told(self):
        self.assertIn(
            "networkPolicy.ingress.from",
            notes({"grpcRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}),
        )
        self.assertIn("one replica", notes({"replicas": 1}))
        self.assertIn("bellringer migrate", notes(load("migrations-none")))
        self.assertIn("among the values", notes({"database": {"url": "postgres://u@h/d"}}))
        self.assertIn("CloudNativePG", notes(load("cloudnativepg")))
