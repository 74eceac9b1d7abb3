"""Everything that is rendered is what Kubernetes, and the operators, take."""

import json
import pathlib
import unittest

import kubernetes_validate

import chart

CUSTOM = json.loads((pathlib.Path(__file__).parent / "custom.json").read_text())
KINDS = {"string": str, "integer": int, "boolean": bool}


def wrong(value, shape, at):
    """Where a custom resource has what its shape has not."""
    if shape == "any":
        return []
    if isinstance(shape, str):
        return [] if type(value) is KINDS[shape] else [f"{at} is not a {shape}: {value!r}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{at} is not a list"]
        return [bad for i, one in enumerate(value) for bad in wrong(one, shape[0], f"{at}[{i}]")]
    if not isinstance(value, dict):
        return [f"{at} is not a map"]
    unknown = [f"{at}.{key} is not known" for key in value if key not in shape]
    return unknown + [
        bad for key in value if key in shape for bad in wrong(value[key], shape[key], f"{at}.{key}")
    ]


class Schemas(unittest.TestCase):
    def test_there_are_many_combinations_of_values(self):
        self.assertGreaterEqual(len(chart.VALUES), 12)

    def test_every_object_is_valid_in_the_oldest_and_the_newest_kubernetes(self):
        seen = set()
        for values in chart.VALUES:
            for version in (chart.OLDEST, chart.NEWEST):
                for one in chart.render(values, version=version):
                    if one["kind"] in CUSTOM or (version, json.dumps(one)) in seen:
                        continue
                    seen.add((version, json.dumps(one)))
                    with self.subTest(values.stem, kind=one["kind"], version=version):
                        kubernetes_validate.validate(one, version, strict=True)
        self.assertGreater(len(seen), 100)

    def test_every_object_of_an_operator_has_known_fields_only(self):
        found = set()
        for values in chart.VALUES:
            for one in chart.render(values):
                if one["kind"] in CUSTOM:
                    found.add(one["kind"])
                    shape = CUSTOM[one["kind"]]
                    with self.subTest(values.stem, kind=one["kind"]):
                        self.assertEqual(set(one), {"apiVersion", "kind", "metadata", "spec"})
                        self.assertEqual(wrong(one["spec"], shape["fields"], one["kind"]), [])
                        self.assertEqual(set(shape["required"]) - set(one["spec"]), set())
        self.assertEqual(found, set(CUSTOM), "some operator is in no values file")

    def test_no_object_comes_twice(self):
        for values in chart.VALUES:
            names = [(one["kind"], one["metadata"]["name"]) for one in chart.render(values)]
            self.assertEqual(len(names), len(set(names)), values.stem)

    def test_every_object_names_its_namespace_and_has_the_usual_labels(self):
        for values in chart.VALUES:
            for one in chart.render(values):
                with self.subTest(values.stem, kind=one["kind"]):
                    self.assertEqual(one["metadata"]["namespace"], "bells")
                    labels = one["metadata"]["labels"]
                    for label in ("name", "instance", "component", "version", "managed-by"):
                        self.assertIn(f"app.kubernetes.io/{label}", labels)

    def test_a_kubernetes_that_is_too_old_is_refused(self):
        with self.assertRaisesRegex(chart.Refused, "kubeVersion"):
            chart.text({}, version="1.29")

    def test_names_stay_within_what_kubernetes_allows(self):
        release = "r" * 53
        for values in chart.VALUES:
            for one in chart.render(values, release=release):
                self.assertLessEqual(len(one["metadata"]["name"]), 63, one["kind"])
                for value in one["metadata"]["labels"].values():
                    self.assertLessEqual(len(value), 63)
