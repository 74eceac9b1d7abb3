"""The pod as it is rendered, run: the built server, on a real PostgreSQL, with the arguments, settings and
environment of its containers; where this machine allows it as the same user, without any capability, on a
file system that cannot be written."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import grpc

import chart
from test_config import BINARIES

SERVER = BINARIES / "bellringer"
PROBE = os.environ.get("PROBE")
# Longest wait for a start or an end, in seconds.
PATIENCE = 60
CONFINE = """
mount -o remount,bind,ro / && exec setpriv --reuid "$1" --regid "$2" --clear-groups --no-new-privs \
  --inh-caps=-all --bounding-set=-all -- "${@:3}"
"""


def confined(pod: dict) -> list:
    """What to put before a command so that it runs as in the pod; nothing if this machine does not allow it."""
    context = pod["securityContext"]
    before = [
        "unshare",
        "--mount",
        "bash",
        "-c",
        CONFINE,
        "confined",
        str(context["runAsUser"]),
        str(context["runAsGroup"]),
    ]
    with contextlib.suppress(OSError):
        if subprocess.run([*before, SERVER, "version"], capture_output=True).returncode == 0:
            return before
    print(
        "\nSKIPPED confining the server as in its pod: this machine does not allow it", flush=True
    )
    return []


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what: str, condition):
    """Waits for what the condition answers."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if answer := condition():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def health(port: int, service: str):
    """Asks as the kubelet does; None if nobody answers. With grpc_health_probe if there is one, which says
    with its exit code what it heard: 0, or 4 if it is not serving."""
    if PROBE:
        words = [PROBE, f"-addr=127.0.0.1:{port}", f"-service={service}", "-connect-timeout=2s"]
        code = subprocess.run([*words, "-rpc-timeout=2s"], capture_output=True).returncode
        return {0: "SERVING", 4: "NOT_SERVING"}.get(code)
    request = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = channel.unary_unary("/grpc.health.v1.Health/Check")(request, timeout=2)
        except grpc.RpcError:
            return None
    return {b"\x08\x01": "SERVING", b"\x08\x02": "NOT_SERVING"}.get(answer, answer)


@unittest.skipUnless(SERVER.exists(), "the server is not built")
class Pod(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.folder.chmod(0o755)
        handshake = cls.folder / "handshake"
        # Its standard input is its life line: when this process ends, however it ends, so does it.
        cls.database = subprocess.Popen(
            [
                SERVER,
                "dev",
                "--temporary",
                "--listen",
                "127.0.0.1:0",
                "--exit-when-stdin-closes",
                "--handshake-file",
                handshake,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        cls.addClassCleanup(cls.end_database)
        wait_for("a database", lambda: handshake.exists() and handshake.read_text())
        cls.url = json.loads(handshake.read_text())["database_url"]

    @classmethod
    def end_database(cls):
        cls.database.stdin.close()
        cls.database.wait(PATIENCE)

    def setUp(self):
        self.port, metrics = free_port(), free_port()
        values = chart.merged(
            chart.SECRET,
            {
                "bindAddress": "127.0.0.1",
                "metrics": {"port": metrics},
                "health": {"port": free_port()},
            },
        )
        self.metrics = metrics
        self.objects = chart.render(values)
        self.pod = self.objects.server()["spec"]
        self.before = confined(self.pod)
        (self.folder / "config.toml").write_text(self.objects.toml())

    def run_container(self, container) -> subprocess.Popen:
        """Starts it; only the place of the file, and the port of gRPC, are of this machine."""
        files = [mount for mount in container["volumeMounts"] if mount["name"] == "config"]
        arguments = [
            one.replace(files[0]["mountPath"], str(self.folder)) for one in container["args"]
        ]
        secret = {one["name"]: self.url for one in container["env"]}
        self.assertEqual(list(secret), ["BELLRINGER_DATABASE_URL"])
        environment = {
            "PATH": os.environ["PATH"],
            **secret,
            "BELLRINGER__SERVER__LISTEN": f"127.0.0.1:{self.port}",
        }
        log = open(self.folder / f"{container['name']}.log", "w")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            [*self.before, SERVER, *arguments], env=environment, stdout=log, stderr=log
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def log(self, container) -> str:
        return (self.folder / f"{container['name']}.log").read_text()

    def test_it_migrates_serves_answers_every_probe_and_stops_in_time(self):
        (migrate,), (server,) = self.pod["initContainers"], self.pod["containers"]
        status = self.run_container(migrate).wait(PATIENCE)
        self.assertEqual(status, 0, self.log(migrate))

        process = self.run_container(server)
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = server[name]["grpc"]
            port = self.port if asked["port"] == 7117 else asked["port"]

            def answered():
                self.assertIsNone(process.poll(), self.log(server))
                return health(port, asked.get("service", "")) == "SERVING"

            wait_for(name, answered)
        with socket.create_connection(("127.0.0.1", self.metrics), 5):
            pass

        process.send_signal(signal.SIGTERM)
        self.assertEqual(
            process.wait(self.pod["terminationGracePeriodSeconds"]), 0, self.log(server)
        )

    def test_its_log_is_for_machines_and_without_the_password(self):
        (server,) = self.pod["containers"]
        process = self.run_container(server)
        wait_for(
            "serving",
            lambda: '"message":"serving"' in self.log(server) or process.poll() is not None,
        )
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        for line in self.log(server).splitlines():
            json.loads(line)
        password = self.url.split(":")[2].split("@")[0]
        self.assertNotIn(password, self.log(server))
