"""First process of the work container: window manager, JupyterLab on loopback, and a browser that shows it."""

from __future__ import annotations

import http.client
import os
import shutil
from pathlib import Path

from processes import Kept, keep

X_FOLDER = Path("/tmp/.X11-unix")
PORT = 8888
ADDRESS = f"http://127.0.0.1:{PORT}/lab"
PROFILE = "/tmp/firefox"


def environment() -> dict[str, str]:
    """What every process of the researcher sees."""
    return {
        **os.environ,
        "HOME": "/home/researcher",
        "USER": "researcher",
        "SHELL": "/bin/bash",
        "DISPLAY": ":1",
        "XAUTHORITY": str(X_FOLDER / "authority"),
        "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "R_LIBS_USER": "/home/researcher/R",
        "MOZ_CRASHREPORTER_DISABLE": "1",
        "NO_AT_BRIDGE": "1",
    }


def screen_is_there() -> bool:
    """Whether the display container has made its socket and secret."""
    return (X_FOLDER / "X1").exists() and (X_FOLDER / "authority").exists()


def jupyter_answers() -> bool:
    """Whether JupyterLab can be shown."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=1)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def jupyter() -> list[str]:
    """Command of JupyterLab: loopback only, so it needs no password of its own."""
    start = next(path for path in ("/work", "/scratch", "/home/researcher") if os.access(path, os.W_OK))
    return [
        *("jupyter-lab", "--no-browser", "--ip=127.0.0.1", f"--port={PORT}", "--IdentityProvider.token="),
        *("--ServerApp.password=", "--ServerApp.root_dir=/", f"--ServerApp.preferred_dir={start}"),
        "--LabApp.extension_manager=readonly",
    ]


def fresh_profile() -> None:
    """A browser that starts again remembers nothing, so it asks nothing."""
    shutil.rmtree(PROFILE, ignore_errors=True)
    Path(PROFILE).mkdir()


def main() -> None:
    """Start all three and keep them."""
    env = environment()
    browser = ["firefox-esr", "--no-remote", "--kiosk", "--profile", PROFILE, ADDRESS]
    keep(
        [
            Kept(jupyter(), env),
            Kept(["openbox"], env, screen_is_there),
            Kept(browser, env, lambda: screen_is_there() and jupyter_answers(), before=fresh_profile),
        ]
    )


if __name__ == "__main__":
    main()
