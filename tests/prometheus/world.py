"""Three replicas with some work to do, and a Prometheus that reads their metrics."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "bellringer"
BINARIES = pathlib.Path(os.environ.get("BELLRINGER_BIN_DIR", ROOT / "target" / "debug"))
PROMETHEUS, PROMTOOL = os.environ["PROMETHEUS"], os.environ["PROMTOOL"]
# Labels that the chart's ServiceMonitor gives.
SELECTOR = 'namespace="bells", service="bellringer-headless"'
PATIENCE = 60  # seconds, for whatever is waited for


def rules() -> str:
    """The chart's alerts as a file of rules, as the chart renders them but for their labels."""
    text = (CHART / "files" / "alerts.yaml").read_text()
    lines = text.replace("SELECTOR", SELECTOR).splitlines()
    body = [line for line in lines if not line.startswith(("#", "rules:"))]
    return "\n".join(["groups:", "  - name: bellringer", "    rules:", *("    " + x for x in body)])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(what, look):
    """Waits for `look` to be true, and answers with what it came to."""
    until = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(0.1)


class World:
    """Everything that runs; ended by `stop`."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bellringer-prometheus-"))
        self.processes = []
        self.metrics = [free_port() for _ in range(3)]
        try:
            handshake = self.folder / "handshake"
            self.replica(0, "dev", "--temporary", "--handshake-file", str(handshake))
            told = json.loads(eventually("the first replica serves", lambda: read(handshake)))
            self.server, self.database = told["grpc_url"], told["database_url"]
            for n in (1, 2):
                self.replica(n, "serve", "--database-url", told["database_url"])
            for port in self.metrics:
                eventually("metrics", lambda port=port: scrape(port))
            self.address = f"http://127.0.0.1:{self.prometheus()}"
            self.work()
        except BaseException:
            self.stop()
            raise

    def run(self, name, command, **environment):
        log = (self.folder / f"{name}.log").open("wb")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BELLRINGER", "OTEL"))}
        process = subprocess.Popen(
            command,
            env={**clean, "NO_COLOR": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.processes.append((name, process))
        return process

    def replica(self, number, *arguments):
        self.run(
            f"replica-{number}",
            [BINARIES / "bellringer", *arguments, "--listen", "127.0.0.1:0"],
            BELLRINGER__SERVER__METRICS_LISTEN=f"127.0.0.1:{self.metrics[number]}",
            BELLRINGER__SERVER__SHUTDOWN_GRACE="5s",
            BELLRINGER__LEASES__DURATION="2s",
            BELLRINGER__LEASES__HEARTBEAT_INTERVAL="500ms",
        )

    def prometheus(self) -> int:
        port = free_port()
        targets = [
            {
                "targets": [f"127.0.0.1:{metrics}"],
                "labels": {
                    "namespace": "bells",
                    "service": "bellringer-headless",
                    "pod": f"bellringer-{number}",
                },
            }
            for number, metrics in enumerate(self.metrics)
        ]
        # JSON is YAML as well.
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / "rules.yaml")],
            "scrape_configs": [{"job_name": "bellringer", "static_configs": targets}],
        }
        (self.folder / "rules.yaml").write_text(rules())
        (self.folder / "prometheus.yaml").write_text(json.dumps(config))
        self.run(
            "prometheus",
            [
                PROMETHEUS,
                f"--config.file={self.folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
        )
        return port

    def bellctl(self, *arguments):
        done = subprocess.run(
            [BINARIES / "bellctl", "--server", self.server, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return done.stdout

    def work(self):
        """Lets happen what metrics tell of: successes, failures, cancels, fires, a lost lease, errors."""
        bellctl = [BINARIES / "bellctl", "--server", self.server]
        lost = self.run("lost-worker", [*bellctl, "worker", "--exec", "hang=sleep 5"])
        hanging = self.bellctl("submit", "hang", "--max-attempts", "1").strip()
        eventually("the task hangs", lambda: hanging in self.bellctl("list", "--state", "running"))
        lost.send_signal(signal.SIGKILL)
        self.run("worker", [*bellctl, "worker", "--exec", "ok=cat", "--exec", "bad=false"])
        self.run("watcher", [*bellctl, "watch", "--kind", "ok"])
        self.bellctl("schedule", "set", "often", "--every", "1s", "--kind", "ok")
        for _ in range(3):
            for _ in range(5):
                self.bellctl("submit", "ok", "--payload", '"x"')
            self.bellctl("submit", "bad", "--max-attempts", "2", "--max-backoff", "100ms")
            delayed = self.bellctl("submit", "ok", "--delay", "1h").strip()
            self.bellctl("cancel", delayed)
            self.bellctl("get", "00000000-0000-7000-8000-000000000000")
            time.sleep(2)
        self.fail_a_statement()

    def fail_a_statement(self):
        """Hides a table for a moment."""
        hide = "alter table queue rename to hidden"
        subprocess.run(["psql", "--quiet", self.database, "--command", hide], check=True)
        self.bellctl("queues", "list")
        show = "alter table hidden rename to queue"
        subprocess.run(["psql", "--quiet", self.database, "--command", show], check=True)

    def ask(self, path, **parameters):
        """An answer of Prometheus; raises with what it says if it refuses."""
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error

    def scrapes(self) -> list:
        return [scrape(port) for port in self.metrics]

    def stop(self):
        for _, process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for _, process in reversed(self.processes):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder)

    def logs(self) -> str:
        """The last lines of every program."""
        texts = []
        for name, _ in self.processes:
            lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
            texts.append(f"== {name}\n" + "\n".join(lines[-10:]))
        return "\n".join(texts)


def read(file) -> str:
    return file.read_text() if file.exists() else ""


def scrape(port) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return answer.read().decode()
    except OSError:
        return ""
