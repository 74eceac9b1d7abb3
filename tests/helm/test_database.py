"""Which database the server uses, and who brings its schema up to date."""

import unittest
import urllib.parse

import chart
from chart import SECRET, Refused, load, merged, render

URL, DIRECT = "BELLRINGER_DATABASE_URL", "BELLRINGER__STORE__DIRECT_URL"


def sources(container):
    """Variable -> (secret, key)."""
    return {
        one["name"]: (
            one["valueFrom"]["secretKeyRef"]["name"],
            one["valueFrom"]["secretKeyRef"]["key"],
        )
        for one in container["env"]
        if "secretKeyRef" in one.get("valueFrom", {})
    }


def migrating(objects):
    """The init container that migrates."""
    inits = {one["name"]: one for one in objects.server()["spec"].get("initContainers", [])}
    return inits.get("migrate")


class Database(unittest.TestCase):
    def test_a_secret_of_ones_own_is_used_and_none_is_made(self):
        objects = render(load("pooler"))
        self.assertEqual(
            sources(objects.container()),
            {URL: ("tasks-db", "pooled"), DIRECT: ("tasks-db", "direct")},
        )
        self.assertEqual(objects.of("Secret") + objects.of("StatefulSet"), [])

    def test_urls_among_the_values_go_into_a_secret(self):
        values = load("external-url")
        objects = render(values)
        secret = objects.one("Secret", "bellringer-database")["stringData"]
        self.assertEqual(
            secret,
            {"url": values["database"]["url"], "direct-url": values["database"]["directUrl"]},
        )
        self.assertEqual(
            sources(objects.container()),
            {URL: ("bellringer-database", "url"), DIRECT: ("bellringer-database", "direct-url")},
        )
        self.assertEqual(objects.of("StatefulSet"), [])

    def test_without_values_there_is_one_for_trying_out(self):
        objects = render({})
        secret = objects.one("Secret", "bellringer-postgres")
        self.assertEqual(sources(objects.container()), {URL: ("bellringer-postgres", "url")})
        self.assertEqual(secret["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        url = urllib.parse.urlsplit(secret["stringData"]["url"])
        self.assertEqual(url.password, secret["stringData"]["password"])
        self.assertGreaterEqual(len(url.password), 32)
        self.assertEqual(
            (url.hostname, url.port, url.path), ("bellringer-postgres", 5432, "/bellringer")
        )
        service = objects.one("Service", url.hostname)["spec"]
        pod = objects.one("StatefulSet", url.hostname)["spec"]["template"]
        self.assertTrue(chart.selects(service["selector"], pod["metadata"]["labels"]))
        env = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
        self.assertEqual((env["POSTGRES_USER"], env["POSTGRES_DB"]), (url.username, "bellringer"))

    def test_a_password_with_odd_characters_arrives_as_it_is(self):
        values = load("trial-locked")
        secret = render(values).one("Secret", "bellringer-postgres")["stringData"]
        self.assertEqual(secret["password"], values["postgres"]["password"])
        url = urllib.parse.urlsplit(secret["url"])
        self.assertEqual(urllib.parse.unquote(url.password), values["postgres"]["password"])
        self.assertEqual(url.hostname, "bellringer-postgres")

    def test_the_trials_folders_can_be_written_where_the_image_cannot(self):
        spec = render({}).one("StatefulSet", "bellringer-postgres")["spec"]
        container = spec["template"]["spec"]["containers"][0]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        self.assertEqual(
            mounts["/var/lib/postgresql/data"], spec["volumeClaimTemplates"][0]["metadata"]["name"]
        )
        for folder in ("/var/run/postgresql", "/tmp"):
            self.assertIn(folder, mounts)

    def test_cloudnativepg_is_used_by_the_secret_that_it_writes(self):
        objects = render(load("cloudnativepg"))
        cluster = objects.one("Cluster", "bellringer-db")
        self.assertEqual(sources(objects.container()), {URL: ("bellringer-db-app", "uri")})
        self.assertEqual(cluster["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        self.assertEqual(
            cluster["spec"]["postgresql"]["synchronous"], {"method": "any", "number": 1}
        )
        self.assertEqual(cluster["spec"]["postgresql"]["parameters"], {"max_connections": "200"})
        self.assertEqual(objects.of("StatefulSet") + objects.of("Secret"), [])
        with self.assertRaisesRegex(Refused, "must exceed"):
            render({"cloudnativepg": {"enabled": True, "instances": 1}})

    def test_none_and_two_are_refused(self):
        with self.assertRaisesRegex(Refused, "no database"):
            render({"postgres": {"enabled": False}})
        for more in (
            {"cloudnativepg": {"enabled": True}},
            {"database": {"url": "postgres://u@h/d"}},
        ):
            with self.assertRaisesRegex(Refused, "two databases"):
                render(merged(SECRET, more))

    def test_a_certificate_to_trust_is_mounted_where_the_variable_says(self):
        objects = render(load("pooler"))
        volume = [
            one for one in objects.server()["spec"]["volumes"] if one["name"] == "database-ca"
        ]
        self.assertEqual(volume[0]["secret"]["items"], [{"key": "root.pem", "path": "ca.crt"}])
        for container in (objects.container(), migrating(objects)):
            mount = [one for one in container["volumeMounts"] if one["name"] == "database-ca"][0]
            self.assertIn(
                {"name": "PGSSLROOTCERT", "value": mount["mountPath"] + "/ca.crt"}, container["env"]
            )


class Migrations(unittest.TestCase):
    def test_every_pod_migrates_before_it_serves_with_the_same_image(self):
        for values in (
            load("default"),
            load("external-secret"),
            load("cloudnativepg"),
            load("extras"),
        ):
            objects = render(values)
            container = migrating(objects)
            self.assertEqual(container["args"][0], "migrate")
            for key in ("image", "command"):
                self.assertEqual(container.get(key), objects.container().get(key))
            self.assertEqual(objects.of("Job"), [])

    def test_migrations_go_past_a_pooler(self):
        self.assertEqual(sources(migrating(render(load("pooler")))), {URL: ("tasks-db", "direct")})

    def test_the_trial_waits_for_its_database_before_it_migrates(self):
        names = [one["name"] for one in render({}).server()["spec"]["initContainers"]]
        self.assertEqual(names, ["wait-for-postgres", "migrate"])
        names = [one["name"] for one in render(SECRET).server()["spec"]["initContainers"]]
        self.assertEqual(names, ["migrate"])

    def test_the_job_runs_before_everything_and_needs_nothing_of_the_release(self):
        objects = render(load("migrations-hook"))
        job = objects.one("Job", "bellringer-migrate")
        self.assertEqual(job["metadata"]["annotations"]["helm.sh/hook"], "pre-install,pre-upgrade")
        spec = job["spec"]["template"]["spec"]
        self.assertNotIn("serviceAccountName", spec)
        made = {
            one["metadata"]["name"] for one in objects if one["kind"] in ("Secret", "ConfigMap")
        }
        used = {
            v["secret"]["secretName"] if "secret" in v else v["configMap"]["name"]
            for v in spec["volumes"]
        }
        used |= {name for name, _ in sources(spec["containers"][0]).values()}
        self.assertFalse(made & used)
        self.assertEqual(job["spec"]["activeDeadlineSeconds"], 1800)
        self.assertIsNone(migrating(objects))

    def test_the_owners_url_is_seen_by_the_job_alone(self):
        objects = render(load("migrations-hook"))
        job = objects.one("Job", "bellringer-migrate")["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(sources(job), {URL: ("tasks-db-owner", "owner")})
        self.assertNotIn("tasks-db-owner", str(objects.one("Deployment")))
        with self.assertRaisesRegex(Refused, "migrations.existingSecret"):
            render(merged(load("migrations-hook"), {"migrations": {"mode": "init"}}))

    def test_a_job_without_a_database_that_is_there_already_is_refused(self):
        for values in (
            {},
            {"database": {"url": "postgres://u@h/d"}},
            {"cloudnativepg": {"enabled": True}},
        ):
            with self.assertRaisesRegex(Refused, "migrations.mode hook"):
                render(merged(values, {"migrations": {"mode": "hook"}}))

    def test_none_is_none(self):
        objects = render(load("migrations-none"))
        self.assertEqual(objects.of("Job"), [])
        self.assertNotIn("initContainers", objects.server()["spec"])
