import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from bridge.errors import ConfigError
from bridge.queue.embedded_valkey import Embedded, _alive, _pid, socket_for, url_for

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[2]


def test_it_listens_on_a_socket_that_only_its_owner_can_reach(tmp_path):
    folder = tmp_path / "run"
    with Embedded(folder) as server:
        client = Redis.from_url(server.url)
        assert client.ping()
        assert client.config_get("port")["port"] == "0"
        client.close()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert not server.socket.exists()


def test_a_second_one_on_the_same_home_is_refused_and_leaves_the_first_alone(tmp_path):
    with Embedded(tmp_path) as first:
        with pytest.raises(ConfigError, match="another bridge runs on this home"):
            Embedded(tmp_path).start()
        assert _pid(first.socket) is not None


def test_one_left_behind_by_a_kill_is_replaced(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; "
        "from bridge.queue.embedded_valkey import Embedded\n"
        "server = Embedded(Path(sys.argv[1])); server.start(); print('up', flush=True); "
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout.readline() == b"up\n"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    orphan = _pid(tmp_path / "valkey.sock")
    assert orphan is not None
    with Embedded(tmp_path) as server:
        assert _pid(server.socket) not in {None, orphan}
        assert not _alive(orphan)


def test_a_stale_socket_file_is_no_obstacle(tmp_path):
    (tmp_path / "valkey.sock").touch()
    with Embedded(tmp_path) as server:
        assert _pid(server.socket) is not None


def test_a_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a folder of this user"):
        Embedded(tmp_path / "run").start()


def test_a_folder_that_others_could_enter_is_closed_to_them(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with Embedded(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_socket_is_derived_from_the_home_alone_and_short(tmp_path):
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    home = tmp_path / "a home with blanks" / ("very" * 60)
    found = socket_for(home, {})
    assert found == socket_for(home, {}) != socket_for(tmp_path, {})
    assert len(os.fsencode(found)) <= 100
    assert str(os.getuid()) in found.parent.name
    short = socket_for(home, runtime)
    assert len(os.fsencode(short)) <= 100
    assert socket_for(home, {"XDG_RUNTIME_DIR": str(tmp_path / ("long" * 40))}) == found
    assert not found.parent.exists()  # asking makes nothing


def test_the_other_processes_find_a_running_server_and_only_that(tmp_path):
    runtime = {"XDG_RUNTIME_DIR": "/tmp"}
    assert url_for(tmp_path, runtime) == ""
    with Embedded(socket_for(tmp_path, runtime).parent) as server:
        assert url_for(tmp_path, runtime) == server.url
    assert url_for(tmp_path, runtime) == ""
    import shutil

    shutil.rmtree(server.run_dir)
