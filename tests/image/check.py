"""Does what the Dockerfile says, in a folder, and runs it; see `run` beside."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "helm" / "image" / "Dockerfile"
USER = 65532
# Longest wait for a start or an end, in seconds.
PATIENCE = 60
# Everything that is in the image, but for libraries that only a debug build needs.
FILES = {
    "etc/group",
    "etc/passwd",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/bin/bellctl",
    "usr/bin/bellringer",
    "usr/share/doc/bellringer/LICENSE",
}
LABELS = ("title", "description", "licenses", "version", "revision")
# The mounts are this process' own, and it is the first of its processes, as in a container.
CONFINE = """
mount --bind "$0" "$0" && mount -o remount,bind,ro,nosuid,nodev "$0" && cd "$0" \
  && exec setpriv --no-new-privs unshare --root="$0" --setgid="$1" --setuid="$1" -- "${@:2}"
"""


def fail(why: str):
    print(f"FAILED {why}")
    sys.exit(1)


def check(holds, what: str):
    if not holds:
        fail(what)
    print(f"ok      {what}")


def stages(text: str):
    """The stages of a Dockerfile: lists of (instruction, arguments)."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments.strip()))
    return found


class Image:
    """What the last stage makes."""

    def __init__(self, folder: pathlib.Path):
        self.root = folder
        self.labels, self.environment = {}, {}
        self.user = self.entrypoint = self.command = None

    def follow(self, instructions, built: pathlib.Path):
        """Does what a Docker engine would do; `built` is what the stage before has left."""
        for name, arguments in instructions:
            if name == "FROM":
                check(arguments == "scratch", "the image is built on nothing")
            elif name == "COPY":
                source, place = re.fullmatch(r"--from=build (/\S+)/ (/\S*)", arguments).groups()
                shutil.copytree(built / source[1:], self.root / place[1:], dirs_exist_ok=True)
            elif name in ("LABEL", "ENV"):
                pairs = dict(pair.split("=", 1) for pair in shlex.split(arguments))
                (self.labels if name == "LABEL" else self.environment).update(pairs)
            elif name == "USER":
                self.user = arguments
            elif name in ("ENTRYPOINT", "CMD"):
                value = json.loads(arguments)
                self.entrypoint, self.command = (
                    (value, self.command) if name == "ENTRYPOINT" else (self.entrypoint, value)
                )
            elif name not in ("ARG", "WORKDIR", "EXPOSE", "STOPSIGNAL"):
                fail(f"this check does not know the instruction {name}")

    def run(self, *arguments, entrypoint=None, environment=(), **how):
        """Starts it as a container is started, but for the network, which is this machine's."""
        program = entrypoint or self.entrypoint
        inside = {**self.environment, **dict(environment)}
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private"]
        words += ["bash", "-c", CONFINE, str(self.root), str(USER), *program, *arguments]
        return subprocess.Popen(words, env={"PATH": os.environ["PATH"], **inside}, **how)

    def output(self, *arguments, **how) -> str:
        """What it prints; it must succeed."""
        done = self.run(
            *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how
        )
        said, _ = done.communicate(timeout=PATIENCE)
        if done.returncode:
            fail(f"{arguments} ended with {done.returncode}: {said}")
        return said


def build(programs: pathlib.Path, scratch: pathlib.Path) -> Image:
    first, last = stages(DOCKERFILE.read_text())
    check("@sha256:" in first[0][1], "the image that it is compiled in is pinned by digest")
    layouts = [arguments for name, arguments in first if name == "RUN" and "image/root" in arguments]
    check(len(layouts) == 1, "the Dockerfile lays the image out in one place")
    script, source, place = layouts[0].split()
    check(f"RUN .ci/dist programs {source} " in DOCKERFILE.read_text(), "of what it has compiled")
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    check(("ARG", f"VERSION={version}") in last, "its version is the one of this tree")
    built = scratch / "built"
    built.mkdir()
    subprocess.run([ROOT / script, programs, built / place[1:]], check=True)
    image = Image(scratch / "image")
    image.root.mkdir()
    image.follow(last, built)
    return image


def look_at(image: Image):
    """What can be seen without running it."""
    check(image.user == f"{USER}:{USER}", f"it runs as user {USER}")
    found = {
        str(path.relative_to(image.root)): path for path in image.root.rglob("*") if path.is_file()
    }
    parts = {name for name in found if name.endswith(".cdx.json")}
    check(set(found) - parts == FILES, "it has two programs, certificates, and nothing else")
    for name, path in {**found, "": image.root}.items():
        mode = path.stat().st_mode
        if mode & 0o7022 or path.stat().st_uid != os.getuid():
            fail(f"/{name} can be written, or gives rights: {oct(mode)}")
    print("ok      nobody but root may write to it, and no program gives rights")
    missing = [one for one in LABELS if f"org.opencontainers.image.{one}" not in image.labels]
    check(not missing, "it has the labels of the Open Container Initiative")
    check(image.entrypoint == ["/usr/bin/bellringer"], "its entry point is the one the chart expects")


def add_libraries(image: Image):
    """Programs of a debug build are not static; their libraries come along."""
    for program in ("bellringer", "bellctl"):
        needed = subprocess.run(
            ["ldd", image.root / "usr/bin" / program], capture_output=True, text=True
        )
        for path in re.findall(r"(/\S+) \(0x", needed.stdout if needed.returncode == 0 else ""):
            place = image.root / path[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), place)
            place.chmod(0o755)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what: str, condition):
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if answer := condition():
            return answer
        time.sleep(0.1)
    fail(f"not within {PATIENCE} s: {what}")


def inner(outer: subprocess.Popen) -> int:
    """The process that is the first one inside."""
    children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    return int(wait_for("a process inside", lambda: children.read_text().split())[0])


def probe(address: str, *more) -> bool:
    """Asks as the kubelet does, with the program that it was made from."""
    words = [os.environ["PROBE"], f"-addr={address}", "-connect-timeout=2s", "-rpc-timeout=2s", *more]
    return subprocess.run(words, capture_output=True).returncode == 0


def run(image: Image, programs: pathlib.Path, url: str, scratch: pathlib.Path):
    database = {"BELLRINGER_DATABASE_URL": url}
    check("applied 0001" in image.output("migrate", environment=database), "it migrates a database")

    address = f"127.0.0.1:{free_port()}"
    settings = {**database, "BELLRINGER__SERVER__LISTEN": address, "BELLRINGER__LOG__FORMAT": "json"}
    log = open(scratch / "log", "w+")
    server = image.run(*image.command, environment=settings, stdout=log, stderr=log)
    try:
        outside = [programs / "bellctl", "--server", f"http://{address}"]

        def serves() -> bool:
            if server.poll() is not None:
                fail(f"the server ended: {(scratch / 'log').read_text()}")
            return subprocess.run([*outside, "version"], capture_output=True).returncode == 0

        wait_for("it serves", serves)
        status = pathlib.Path(f"/proc/{inner(server)}/status").read_text()
        check(f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status, "the server runs as that user")
        check(re.search(r"NSpid:\t\d+\t1\n", status), "it is the first process, as in a container")
        for line in ("CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"):
            check(line in status, line.replace("\t", " "))
        mounts = pathlib.Path(f"/proc/{inner(server)}/mountinfo").read_text()
        options = [line.split()[5] for line in mounts.splitlines() if line.split()[4] == "/"]
        check(options and options[-1].startswith("ro"), "its root file system cannot be written")

        if os.environ.get("PROBE"):
            check(probe(address), "grpc_health_probe: it is ready")
            check(probe(address, "-service=liveness"), "grpc_health_probe: it is alive")
            check(not probe(address, "-service=no-such"), "grpc_health_probe: nothing else is")
        else:
            print("SKIPPED asking the image with grpc_health_probe, which is not to be had here")

        inside = ("--server", f"http://{address}")
        control = ["/usr/bin/bellctl"]
        submit = ("submit", "greet", "--payload", '{"name": "Ada"}')
        task = image.output(*inside, *submit, entrypoint=control).strip()
        worker = ["worker", "--exec", "greet=cat", "--until-idle", "1s"]
        subprocess.run([*outside, *worker], check=True, capture_output=True, timeout=PATIENCE)
        result = image.output(*inside, "result", task, entrypoint=control)
        check(json.loads(result) == {"name": "Ada"}, "a task was run, and its result read from inside")

        os.kill(inner(server), signal.SIGTERM)
        check(server.wait(PATIENCE) == 0, "it stops when it is told to")
    finally:
        server.kill()
        server.wait()
        log.close()


def run_with_database(image: Image, programs: pathlib.Path, scratch: pathlib.Path):
    handshake = scratch / "handshake"
    words = [programs / "bellringer", "dev", "--temporary", "--listen", "127.0.0.1:0"]
    # Its standard input is its life line: when this process ends, however it ends, so does it.
    words += ["--exit-when-stdin-closes", "--handshake-file", handshake]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dev = subprocess.Popen(words, stdin=subprocess.PIPE, **silent)
    try:
        wait_for("a database", lambda: handshake.exists() and handshake.read_text())
        url = json.loads(handshake.read_text())["database_url"]
        create = ["psql", "--quiet", "--no-psqlrc", "-c", "create database image", url]
        subprocess.run(create, check=True)
        run(image, programs, url.rsplit("/", 1)[0] + "/image", scratch)
    finally:
        dev.stdin.close()
        dev.wait(PATIENCE)


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        # The user of the image has to get there.
        scratch.chmod(0o755)
        image = build(programs, scratch)
        look_at(image)
        size = sum(path.stat().st_size for path in image.root.rglob("*") if path.is_file())
        print(f"        {size / 1e6:.1f} MB, with programs of {programs.relative_to(ROOT)}")
        add_libraries(image)
        lacking = [one for one in ("unshare", "setpriv", "psql") if not shutil.which(one)]
        if os.getuid() != 0 or lacking or image.run("version", stdout=subprocess.DEVNULL).wait() != 0:
            why = f"no {lacking[0]}" if lacking else "this machine, or its user, may not"
            print(f"SKIPPED running the image as in a container: {why}")
            sys.exit(77)
        run_with_database(image, programs, scratch)


main()
