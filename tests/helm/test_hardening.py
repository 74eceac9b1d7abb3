"""What a security review looks for, in every pod of every combination of values."""

import json
import re
import unittest

import chart
import yaml

IMAGE = chart.ROOT / "helm" / "image"
VALUES = yaml.safe_load((chart.CHART / "values.yaml").read_text())
# PostgreSQL's versions have two numbers, others three.
EXACT = re.compile(r"(/postgres:\d+\.\d+|:v?\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$")


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


class Hardening(unittest.TestCase):
    def each_pod(self):
        for values in chart.VALUES:
            for kind, labels, spec in chart.render(values).pods():
                with self.subTest(
                    values.stem, kind=kind, part=labels["app.kubernetes.io/component"]
                ):
                    yield labels["app.kubernetes.io/component"], spec

    def each_container(self):
        for part, spec in self.each_pod():
            for container in containers(spec):
                yield part, spec, container

    def test_no_pod_has_a_token_for_kubernetes(self):
        for _, spec in self.each_pod():
            self.assertIs(spec["automountServiceAccountToken"], False)
        for values in chart.VALUES:
            for account in chart.render(values).of("ServiceAccount"):
                self.assertIs(account["automountServiceAccountToken"], False)

    def test_the_chart_gives_no_rights_in_kubernetes(self):
        for values in chart.VALUES:
            kinds = {one["kind"] for one in chart.render(values)}
            self.assertFalse({kind for kind in kinds if "Role" in kind})

    def test_no_pod_runs_as_root(self):
        for part, spec in self.each_pod():
            context = spec["securityContext"]
            self.assertIs(context["runAsNonRoot"], True)
            user = 999 if part == "postgres" else 65532
            for key in ("runAsUser", "runAsGroup", "fsGroup"):
                self.assertEqual(context[key], user)

    def test_every_pod_has_the_runtimes_seccomp_profile(self):
        for _, spec in self.each_pod():
            self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})

    def test_no_container_can_gain_rights_or_write_to_its_image(self):
        for _, _, container in self.each_container():
            self.assertEqual(
                container["securityContext"],
                {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            )

    def test_no_pod_reaches_into_its_node(self):
        for _, spec in self.each_pod():
            for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
                self.assertNotIn(key, spec)
            for volume in spec.get("volumes", []):
                self.assertNotIn("hostPath", volume)
            for container in containers(spec):
                self.assertFalse(
                    [port for port in container.get("ports", []) if "hostPort" in port]
                )

    def test_every_container_says_what_it_needs_and_how_much_memory_is_too_much(self):
        for _, _, container in self.each_container():
            self.assertLessEqual({"cpu", "memory"}, set(container["resources"]["requests"]))
            self.assertIn("memory", container["resources"]["limits"])

    def test_every_image_has_an_exact_version_or_a_digest(self):
        for _, _, container in self.each_container():
            self.assertRegex(container["image"], EXACT)

    def test_images_beside_the_chart_have_an_exact_version_too(self):
        compose = (IMAGE / "docker-compose.yml").read_text()
        images = re.findall(r"^ +image: (\S+)$", compose, re.MULTILINE)
        # The first one is built where it runs.
        self.assertEqual(images[0], "bellringer:local")
        for image in images[1:]:
            self.assertRegex(image, EXACT)
        dockerfile = (IMAGE / "Dockerfile").read_text()
        for base in re.findall(r"^FROM (?:--\S+ )*(\S+)", dockerfile, re.MULTILINE):
            self.assertRegex(base, r"^scratch$|@sha256:[0-9a-f]{64}$")

    def test_one_version_of_a_program_is_used_by_chart_compose_file_and_tests(self):
        compose = (IMAGE / "docker-compose.yml").read_text()
        postgres = VALUES["postgres"]["image"]
        self.assertIn(f"image: {postgres['repository']}:{postgres['tag']}\n", compose)
        tool = (chart.ROOT / ".ci" / "tool").read_text()
        self.assertIn(f" GRPC_HEALTH_PROBE={VALUES['test']['image']['tag'][1:]} ", tool)

    def test_secrets_are_in_secrets_only(self):
        for values in chart.VALUES:
            for one in chart.render(values):
                if one["kind"] == "Secret":
                    continue
                with self.subTest(values.stem, kind=one["kind"]):
                    written = json.dumps(one)
                    self.assertNotIn("postgres://", written)
                    self.assertNotIn("p%40ss", written)

    def test_mounted_secrets_cannot_be_written(self):
        for _, spec in self.each_pod():
            secret = {
                v["name"] for v in spec.get("volumes", []) if "secret" in v or "configMap" in v
            }
            for container in containers(spec):
                for mount in container.get("volumeMounts", []):
                    if mount["name"] in secret:
                        self.assertIs(mount.get("readOnly"), True, mount)

    def test_variables_of_services_are_kept_out_of_the_servers_environment(self):
        for _, spec in self.each_pod():
            self.assertIs(spec["enableServiceLinks"], False)

    def test_a_policy_of_the_network_stands_before_server_and_database_by_default(self):
        objects = chart.render({})
        for name in ("bellringer", "bellringer-postgres"):
            policy = objects.one("NetworkPolicy", name)["spec"]
            self.assertIn("Ingress", policy["policyTypes"])
            for rule in policy["ingress"]:
                self.assertTrue(rule["ports"] and rule["from"], "open to everybody")

    def test_the_trials_database_is_reached_by_the_server_only(self):
        objects = chart.render(chart.load("trial-locked"))
        labels = {part["app.kubernetes.io/component"]: part for _, part, _ in objects.pods()}
        policy = objects.one("NetworkPolicy", "bellringer-postgres")["spec"]
        self.assertTrue(chart.selects(policy["podSelector"]["matchLabels"], labels["postgres"]))
        self.assertEqual(policy["egress"], [])
        (rule,) = policy["ingress"]
        (peer,) = rule["from"]
        for part, let_in in (("server", True), ("postgres", False), ("test", False)):
            self.assertEqual(
                chart.selects(peer["podSelector"]["matchLabels"], labels[part]), let_in
            )

    def test_with_egress_closed_the_server_reaches_names_and_its_database_only(self):
        trial, cnpg = chart.render(chart.load("trial-locked")), chart.render(
            chart.load("cloudnativepg")
        )
        postgres = trial.one("StatefulSet", "bellringer-postgres")["spec"]["template"]["metadata"][
            "labels"
        ]
        cluster = {"cnpg.io/cluster": cnpg.of("Cluster")[0]["metadata"]["name"]}
        for objects, pods in ((trial, postgres), (cnpg, cluster)):
            dns, database = objects.one("NetworkPolicy")["spec"]["egress"]
            self.assertEqual({port["port"] for port in dns["ports"]}, {53})
            self.assertEqual([port["port"] for port in database["ports"]], [5432])
            (peer,) = database["to"]
            self.assertTrue(chart.selects(peer["podSelector"]["matchLabels"], pods))
        rules = chart.render(chart.load("network")).one("NetworkPolicy")["spec"]["egress"]
        self.assertEqual([port["port"] for port in rules[1]["ports"]], [5432, 6432])
        self.assertEqual(rules[1]["to"], [{"ipBlock": {"cidr": "10.20.0.0/16"}}])
        self.assertEqual(rules[2]["ports"][0]["port"], 4317)
