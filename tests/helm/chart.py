"""The chart, rendered by the real Helm, for the tests beside this file."""

import copy
import functools
import json
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "bellringer"
VALUES = sorted((pathlib.Path(__file__).parent / "values").glob("*.yaml"))
HELM = os.environ.get("HELM", "helm")
# Oldest version of Kubernetes that the chart allows, and the newest one that is checked.
OLDEST, NEWEST = "1.30", "1.37"
# Databases that need no other value.
SECRET = {"database": {"existingSecret": {"name": "db"}}}


class Refused(Exception):
    """Helm did not render; the text is what it said."""


@functools.lru_cache(maxsize=None)
def _template(values: str, release: str, version: str, options: tuple) -> str:
    command = [HELM, "template", release, CHART, "--namespace", "bells", "--values", "-"]
    command += ["--kube-version", f"{version}.0", *options]
    done = subprocess.run(command, input=values, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def text(values, release="bellringer", version=NEWEST, options=()) -> str:
    """What Helm prints for values: a file, or a tree."""
    if isinstance(values, pathlib.Path):
        return _template(values.read_text(), release, version, tuple(options))
    return _template(json.dumps(values), release, version, tuple(options))


def render(values, **how) -> "Objects":
    """The objects for values."""
    return Objects(yaml.safe_load_all(text(values, **how)))


def load(name: str):
    """The values of a file in values/."""
    return yaml.safe_load((VALUES[0].parent / f"{name}.yaml").read_text())


def merged(*trees):
    """Trees of values laid over each other."""
    result = {}
    for tree in trees:
        for key, value in copy.deepcopy(tree).items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


class Objects(list):
    """Rendered objects."""

    def __init__(self, objects):
        super().__init__(one for one in objects if one)

    def of(self, kind: str):
        return [one for one in self if one["kind"] == kind]

    def one(self, kind: str, name: str = "bellringer"):
        """The object of that kind and name; there must be exactly one."""
        found = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    def pods(self):
        """Every template of a pod: (kind, labels, spec)."""
        for one in self:
            if one["kind"] == "Pod":
                yield one["kind"], one["metadata"]["labels"], one["spec"]
            elif one["kind"] in ("Deployment", "StatefulSet", "Job"):
                template = one["spec"]["template"]
                yield one["kind"], template["metadata"]["labels"], template["spec"]

    def server(self):
        """The server's pods."""
        deployments = self.of("Deployment")
        assert len(deployments) == 1
        return deployments[0]["spec"]["template"]

    def container(self):
        """The server's container."""
        return self.server()["spec"]["containers"][0]

    def toml(self, name: str = "bellringer") -> str:
        """The server's file of settings."""
        return self.one("ConfigMap", name)["data"]["config.toml"]


def selects(selector: dict, labels: dict) -> bool:
    return bool(selector) and selector.items() <= labels.items()
