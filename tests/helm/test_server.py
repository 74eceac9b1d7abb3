"""The server's pods, and who finds them."""

import unittest

import chart
from chart import SECRET, Refused, load, merged, render, selects

HEADLESS = "bellringer-headless"


class Rollout(unittest.TestCase):
    def test_a_new_pod_serves_before_an_old_one_goes(self):
        spec = render({}).one("Deployment")["spec"]
        self.assertEqual(spec["replicas"], 2)
        self.assertEqual(
            spec["strategy"],
            {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        )

    def test_a_change_of_settings_or_of_the_url_replaces_the_pods(self):
        def marks(values):
            return render(values).server()["metadata"]["annotations"]

        url = {"database": {"url": "postgres://a@b/c"}}
        before = marks(url)
        self.assertEqual(before, marks(url))
        level = marks(merged(url, {"config": {"log": {"level": "debug"}}}))
        self.assertNotEqual(before["checksum/config"], level["checksum/config"])
        other = marks({"database": {"url": "postgres://a@b/d"}})
        self.assertNotEqual(before["checksum/database"], other["checksum/database"])

    def test_rendering_twice_gives_the_same_but_for_the_trials_password(self):
        for values in chart.VALUES:
            first, again = (
                [one for one in render(values, options=options) if one["kind"] != "Secret"]
                for options in ((), ("--include-crds",))
            )
            self.assertEqual(first, again, values.stem)

    def test_the_version_of_the_chart_alone_restarts_nothing(self):
        for values in chart.VALUES:
            for kind, labels, _ in render(values).pods():
                if kind in ("Deployment", "StatefulSet"):
                    self.assertNotIn("helm.sh/chart", labels)

    def test_a_pod_has_time_to_go_on_to_stop_and_some_more(self):
        for values, expected in (({}, 5 + 25 + 10), (load("extras"), 0 + 60 + 10)):
            objects = render(values)
            container = objects.container()
            sleep = (
                container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            )
            grace = int(objects.toml().split('shutdown_grace = "')[1].split("s")[0])
            total = objects.server()["spec"]["terminationGracePeriodSeconds"]
            self.assertEqual(total, expected)
            self.assertGreaterEqual(total, sleep + grace + 10)

    def test_an_autoscaler_alone_sets_the_number_of_replicas(self):
        for name, kind in (("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")):
            objects = render(load(name))
            self.assertNotIn("replicas", objects.one("Deployment")["spec"])
            self.assertEqual(objects.one(kind)["spec"]["scaleTargetRef"]["name"], "bellringer")
        both = merged(load("hpa"), load("keda"))
        with self.assertRaisesRegex(Refused, "fight over"):
            render(both)

    def test_an_autoscaler_never_goes_below_what_it_may(self):
        spec = render(load("hpa")).one("HorizontalPodAutoscaler")["spec"]
        self.assertEqual((spec["minReplicas"], spec["maxReplicas"]), (3, 12))
        self.assertEqual([metric["type"] for metric in spec["metrics"]], ["Resource", "Pods"])
        spec = render(load("keda")).one("ScaledObject")["spec"]
        self.assertEqual(spec["fallback"]["replicas"], spec["minReplicaCount"])
        with self.assertRaisesRegex(Refused, "must not exceed"):
            render(merged(load("hpa"), {"autoscaling": {"minReplicas": 20}}))
        with self.assertRaisesRegex(Refused, "keda.serverAddress"):
            render(merged(load("keda"), {"autoscaling": {"keda": {"serverAddress": ""}}}))
        with self.assertRaisesRegex(Refused, "keda.query"):
            render(merged(load("keda-query"), {"autoscaling": {"keda": {"query": ""}}}))


class Probes(unittest.TestCase):
    def test_probes_ask_the_health_port(self):
        for values in (load("default"), load("tls-secret"), {"health": {"port": 9999}}):
            container = render(values).container()
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                self.assertEqual(container[probe]["grpc"]["port"], ports["health"])

    def test_the_database_decides_readiness_and_nothing_else(self):
        container = render({}).container()
        self.assertNotIn("service", container["readinessProbe"]["grpc"])
        for probe in ("startupProbe", "livenessProbe"):
            self.assertEqual(container[probe]["grpc"]["service"], "liveness")
        sources = "".join(path.read_text() for path in (chart.ROOT / "server/src").rglob("*.rs"))
        self.assertIn('"liveness"', sources, "the server has no such health service")

    def test_without_a_health_port_they_ask_the_grpc_port_unless_it_speaks_tls(self):
        objects = render(load("health-off"))
        self.assertEqual(objects.container()["readinessProbe"]["grpc"], {"port": 7117})
        self.assertNotIn("health_listen", objects.toml())
        with self.assertRaisesRegex(Refused, "health.enabled"):
            render(merged(load("tls-secret"), {"health": {"enabled": False}}))


class Network(unittest.TestCase):
    def test_services_and_budget_select_the_server_and_nobody_else(self):
        for values in chart.VALUES:
            objects = render(values)
            name = objects.of("Deployment")[0]["metadata"]["name"]
            selectors = [
                objects.one("Service", name)["spec"]["selector"],
                objects.one("Service", f"{name}-headless")["spec"]["selector"],
                objects.one("Deployment", name)["spec"]["selector"]["matchLabels"],
            ]
            for budget in objects.of("PodDisruptionBudget"):
                selectors.append(budget["spec"]["selector"]["matchLabels"])
            for kind, labels, _ in objects.pods():
                for selector in selectors:
                    self.assertEqual(selects(selector, labels), kind == "Deployment", values.stem)

    def test_two_releases_in_a_namespace_do_not_select_each_others_pods(self):
        one, two = render({}, release="one"), render({}, release="two")
        for kind, labels, _ in one.pods():
            for object in two:
                selector = object.get("spec", {}).get("selector", {})
                self.assertFalse(selects(selector.get("matchLabels", selector), labels))

    def test_every_port_of_a_service_is_a_port_of_the_pods(self):
        for values in chart.VALUES:
            objects = render(values)
            names = {port["name"]: port["containerPort"] for port in objects.container()["ports"]}
            for service in objects.of("Service"):
                if service["metadata"]["labels"]["app.kubernetes.io/component"] != "server":
                    continue
                for port in service["spec"]["ports"]:
                    self.assertIn(port["targetPort"], names)
                    if service["spec"].get("clusterIP") == "None":
                        # Clients dial the addresses of pods.
                        self.assertEqual(port["port"], names[port["targetPort"]])

    def test_the_headless_service_is_headless_and_gives_ready_pods_only(self):
        spec = render(load("grpcroute")).one("Service", HEADLESS)["spec"]
        self.assertEqual((spec["clusterIP"], spec["type"]), ("None", "ClusterIP"))
        self.assertFalse(spec.get("publishNotReadyAddresses", False))

    def test_gateways_are_told_what_is_spoken(self):
        for name, protocol in (("default", "kubernetes.io/h2c"), ("tls-secret", "https")):
            for service in ("bellringer", HEADLESS):
                port = render(load(name)).one("Service", service)["spec"]["ports"][0]
                self.assertEqual(port["appProtocol"], protocol)

    def test_the_policy_opens_exactly_the_ports_there_are(self):
        for values in chart.VALUES:
            objects = render(values)
            server = objects.server()["metadata"]["labels"]
            ports = {port["containerPort"] for port in objects.container()["ports"]}
            for policy in objects.of("NetworkPolicy"):
                if selects(policy["spec"]["podSelector"]["matchLabels"], server):
                    opened = {
                        port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]
                    }
                    self.assertLessEqual(opened, ports)
                    self.assertIn(7117, opened)

    def test_who_is_named_may_call_and_the_namespace_unless_it_may_not(self):
        def callers(values):
            return render(values).one("NetworkPolicy")["spec"]["ingress"][0]["from"]

        self.assertIn({"podSelector": {}}, callers({}))
        named = load("network")
        self.assertNotIn({"podSelector": {}}, callers(named))
        self.assertIn(named["networkPolicy"]["ingress"]["from"][0], callers(named))

    def test_routes_lead_to_the_service(self):
        for rule in render(load("ingress")).one("Ingress")["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            self.assertEqual(backend, {"name": "bellringer", "port": {"name": "grpc"}})
        backend = render(load("grpcroute")).one("GRPCRoute")["spec"]["rules"][0]["backendRefs"]
        self.assertEqual(backend, [{"name": "bellringer", "port": 7117}])
        for values in ({"ingress": {"enabled": True}}, {"grpcRoute": {"enabled": True}}):
            with self.assertRaisesRegex(Refused, "at least one"):
                render(values)


class Places(unittest.TestCase):
    def test_replicas_avoid_a_common_node_and_spread_over_zones(self):
        spec = render({}).server()["spec"]
        term = spec["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ][0]
        selector = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
        self.assertTrue(selects(selector, render({}).server()["metadata"]["labels"]))
        spread = spec["topologySpreadConstraints"][0]
        self.assertEqual(spread["labelSelector"]["matchLabels"], selector)

    def test_hard_is_hard_none_is_none_and_ones_own_affinity_wins(self):
        hard = render(load("scheduling")).server()["spec"]
        self.assertIn(
            "requiredDuringSchedulingIgnoredDuringExecution", hard["affinity"]["podAntiAffinity"]
        )
        self.assertEqual(
            hard["topologySpreadConstraints"][1]["labelSelector"],
            {"matchLabels": {"own": "selector"}},
        )
        self.assertNotIn("affinity", render({"podAntiAffinity": "none"}).server()["spec"])
        self.assertEqual(
            list(render(load("extras")).server()["spec"]["affinity"]), ["nodeAffinity"]
        )

    def test_what_is_added_to_pods_is_there(self):
        objects, values = render(load("extras")), load("extras")
        pod, container = objects.server(), objects.container()
        for key in ("extraEnv", "extraEnvFrom", "extraVolumeMounts"):
            target = {
                "extraEnv": "env",
                "extraEnvFrom": "envFrom",
                "extraVolumeMounts": "volumeMounts",
            }[key]
            for item in values[key]:
                self.assertIn(item, container[target])
        self.assertIn(values["extraVolumes"][0], pod["spec"]["volumes"])
        self.assertEqual(pod["metadata"]["labels"]["tier"], "back")
        self.assertEqual(pod["metadata"]["labels"]["team"], "platform")
        self.assertEqual(pod["metadata"]["labels"]["app.kubernetes.io/name"], "bellringer")
        self.assertEqual(pod["metadata"]["annotations"]["example.org/pod"], "yes")
        self.assertEqual(container["command"], ["/usr/local/bin/bellringer"])
        self.assertTrue(
            container["image"].startswith("registry.example.org:5000/tasks/bellringer@sha256:")
        )

    def test_every_pod_with_the_servers_image_is_placed_alike(self):
        values = load("migrations-hook")
        for _, labels, spec in render(values).pods():
            if labels["app.kubernetes.io/component"] != "test":
                self.assertEqual(spec["priorityClassName"], "high")
            self.assertEqual(spec["nodeSelector"], values["nodeSelector"])
            self.assertEqual(spec["tolerations"], values["tolerations"])
            self.assertEqual(spec["imagePullSecrets"], [{"name": "registry"}])


class Tls(unittest.TestCase):
    def test_the_settings_name_the_files_that_are_mounted(self):
        objects = render(load("tls-secret"))
        volumes = {
            volume["name"]: volume["secret"]
            for volume in objects.server()["spec"]["volumes"]
            if "secret" in volume
        }
        mounts = {
            mount["name"]: mount["mountPath"] for mount in objects.container()["volumeMounts"]
        }
        toml = objects.toml()
        self.assertEqual(volumes["tls"]["secretName"], "bell-tls")
        self.assertIn(f'cert_file = "{mounts["tls"]}/tls.crt"', toml)
        self.assertIn(f'key_file = "{mounts["tls"]}/tls.key"', toml)
        self.assertEqual(volumes["client-ca"]["items"], [{"key": "tls.crt", "path": "ca.crt"}])
        self.assertIn(f'client_ca_file = "{mounts["client-ca"]}/ca.crt"', toml)

    def test_without_tls_there_is_nothing_of_it(self):
        self.assertNotIn("tls", chart.render({}).toml())
        self.assertEqual(render({"tls": {"certManager": {"enabled": True}}}).of("Certificate"), [])

    def test_cert_manager_writes_the_secret_that_is_mounted_for_the_names_of_the_services(self):
        objects = render(load("tls-cert-manager"))
        certificate = objects.one("Certificate")["spec"]
        volumes = [
            volume for volume in objects.server()["spec"]["volumes"] if volume["name"] == "tls"
        ]
        self.assertEqual(volumes[0]["secret"]["secretName"], certificate["secretName"])
        for service in ("bellringer", HEADLESS):
            for name in (
                service,
                f"{service}.bells",
                f"{service}.bells.svc",
                f"{service}.bells.svc.cluster.local",
            ):
                self.assertIn(name, certificate["dnsNames"])
        self.assertIn("tasks.example.org", certificate["dnsNames"])

    def test_half_of_it_is_refused(self):
        with self.assertRaisesRegex(Refused, "tls.secretName"):
            render({"tls": {"enabled": True}})
        with self.assertRaisesRegex(Refused, "issuerRef.name"):
            render({"tls": {"enabled": True, "certManager": {"enabled": True}}})


class HelmTest(unittest.TestCase):
    def test_it_asks_over_the_service_and_is_let_in(self):
        for name, address in (("default", "bellringer:7117"), ("tls-secret", f"{HEADLESS}:9091")):
            objects = render(load(name))
            pod = objects.one("Pod", "bellringer-test")
            self.assertEqual(pod["metadata"]["annotations"]["helm.sh/hook"], "test")
            self.assertIn(f"-addr={address}", pod["spec"]["containers"][0]["args"])
            port = int(address.split(":")[1])
            let_in = [
                rule
                for rule in objects.one("NetworkPolicy")["spec"]["ingress"]
                if port in [one["port"] for one in rule["ports"]]
                and any(
                    selects(
                        peer.get("podSelector", {}).get("matchLabels", {}),
                        pod["metadata"]["labels"],
                    )
                    for peer in rule["from"]
                )
            ]
            self.assertTrue(let_in, "the policy of the network keeps it out")
