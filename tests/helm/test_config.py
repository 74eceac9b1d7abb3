"""The server's file of settings, read as the server reads it."""

import os
import pathlib
import subprocess
import tempfile
import tomllib
import unittest

import chart
from chart import Refused, load, render

DEFAULTS = tomllib.loads((chart.ROOT / "server" / "config.default.toml").read_text())
BINARIES = pathlib.Path(os.environ.get("BELLRINGER_BIN_DIR", chart.ROOT / "target" / "debug"))


def settings(tree):
    return {
        f"{section}.{key}": value for section, keys in tree.items() for key, value in keys.items()
    }


KNOWN = settings(DEFAULTS)


class Config(unittest.TestCase):
    def each(self):
        for values in chart.VALUES:
            objects = render(values)
            name = objects.of("Deployment")[0]["metadata"]["name"]
            with self.subTest(values.stem):
                yield objects.toml(name)

    def test_the_server_has_every_setting_and_of_that_type(self):
        for text in self.each():
            for name, value in settings(tomllib.loads(text)).items():
                self.assertIn(name, KNOWN)
                # A size may be a number or a text.
                if name != "limits.payload":
                    self.assertIs(type(value), type(KNOWN[name]))

    def test_the_server_itself_takes_the_file(self):
        program = BINARIES / "bellringer"
        if not program.exists():
            print("\nSKIPPED bellringer check-config: the server is not built", flush=True)
            self.skipTest("no server")
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith("BELLRINGER")
        }
        for text in self.each():
            tree = tomllib.loads(text)
            with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(text)
                file.flush()
                done = subprocess.run(
                    [program, "check-config", "--config", file.name],
                    env=clean,
                    capture_output=True,
                    text=True,
                )
            self.assertEqual(done.returncode, 0, done.stderr)
            shown = settings(tomllib.loads(done.stdout))
            for name in ("server.listen", "server.shutdown_grace"):
                section, key = name.split(".")
                # 60s is shown as 1m.
                expected = {"60s": "1m"}.get(tree[section][key], tree[section][key])
                self.assertEqual(shown[name], expected)

    def test_the_server_listens_where_services_and_probes_look(self):
        for values in chart.VALUES:
            objects = render(values)
            name = objects.of("Deployment")[0]["metadata"]["name"]
            server = tomllib.loads(objects.toml(name))["server"]
            ports = {port["name"]: port["containerPort"] for port in objects.container()["ports"]}
            for port, key in (
                ("grpc", "listen"),
                ("health", "health_listen"),
                ("metrics", "metrics_listen"),
            ):
                told = server.get(key, ":").rsplit(":", 1)[1]
                self.assertEqual(told, str(ports.get(port, "")), values.stem)

    def test_values_of_every_kind_keep_their_kind(self):
        text = render(
            {
                "config": {
                    "made": {
                        "whole": 20000,
                        "large": 123456789012,
                        "zero": 0,
                        "negative": -3,
                        "part": 0.5,
                        "yes": True,
                        "text": 'a "quoted" \\ back\nslash <é>',
                        "list": [1, "two", [3]],
                        "tree": {"a-b": 1, "c.d": "x"},
                        "gone": None,
                    }
                }
            }
        ).toml()
        self.assertEqual(
            tomllib.loads(text)["made"],
            {
                "whole": 20000,
                "large": 123456789012,
                "zero": 0,
                "negative": -3,
                "part": 0.5,
                "yes": True,
                "text": 'a "quoted" \\ back\nslash <é>',
                "list": [1, "two", [3]],
                "tree": {"a-b": 1, "c.d": "x"},
            },
        )
        for name in ("whole", "large"):
            self.assertRegex(text, rf"(?m)^{name} = \d+$")

    def test_set_on_the_command_line_is_as_good_as_a_file(self):
        options = ("--set", "config.limits.watchers=1000000", "--set", "config.log.level=debug")
        tree = tomllib.loads(render({}, options=options).toml())
        self.assertEqual(tree["limits"]["watchers"], 1000000)
        self.assertEqual(tree["log"]["level"], "debug")

    def test_a_section_that_the_chart_does_not_know_is_passed_on(self):
        tree = tomllib.loads(
            render({"config": {"other": {"issuer": "https://id.example.org"}}}).toml()
        )
        self.assertEqual(tree["other"], {"issuer": "https://id.example.org"})

    def test_without_authentication_the_server_is_told_that_this_is_meant(self):
        def auth(config):
            return tomllib.loads(render({"config": config}).toml()).get("auth")

        self.assertEqual(auth({}), {"insecure": True})
        self.assertEqual(auth({"auth": {"mechanisms": ["keys"]}}), {"mechanisms": ["keys"]})
        self.assertEqual(auth({"auth": {"insecure": False}}), {"insecure": False})

    def test_what_the_chart_decides_cannot_be_said_twice_and_a_secret_not_in_the_open(self):
        for section, key in (
            ("server", "listen"),
            ("server", "shutdown_grace"),
            ("server", "health_listen"),
            ("store", "url"),
            ("store", "direct_url"),
            ("store", "migrate"),
            ("tls", "key_file"),
        ):
            with self.assertRaisesRegex(Refused, f"config.{section}.{key}: use the value"):
                render({"config": {section: {key: "x"}}})

    def test_the_log_is_for_machines_unless_said_otherwise(self):
        self.assertEqual(tomllib.loads(render({}).toml())["log"]["format"], "json")
        self.assertEqual(tomllib.loads(render(load("config")).toml())["log"]["format"], "text")
