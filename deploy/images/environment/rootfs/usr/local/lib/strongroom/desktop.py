"""First process of the work container: window manager, JupyterLab on loopback, and a browser that shows it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from processes import Kept, keep

X_FOLDER = Path("/tmp/.X11-unix")
ADDRESS = "http://127.0.0.1:8888/lab"
PROFILE = "/tmp/firefox"
# The container is the sandbox: Firefox's own needs chroot and namespaces, which are refused here.
WITHOUT_SANDBOX = {f"MOZ_DISABLE_{part}_SANDBOX": "1" for part in ("CONTENT", "GMP", "RDD", "SOCKET_PROCESS", "UTILITY")}


def environment() -> dict[str, str]:
    """What every process of the researcher sees."""
    return {
        **os.environ,
        **WITHOUT_SANDBOX,
        "HOME": "/home/researcher",
        "USER": "researcher",
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
    try:
        with urllib.request.urlopen(ADDRESS.replace("/lab", "/api"), timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def jupyter() -> list[str]:
    """Command of JupyterLab: loopback only, so it needs no password of its own."""
    start = next(path for path in ("/work", "/scratch", "/home/researcher") if os.access(path, os.W_OK))
    return [
        *("jupyter-lab", "--no-browser", "--ip=127.0.0.1", "--port=8888", "--IdentityProvider.token="),
        *("--ServerApp.password=", "--ServerApp.root_dir=/", f"--ServerApp.preferred_dir={start}"),
        "--LabApp.extension_manager=readonly",
    ]


def main() -> None:
    """Start all three and keep them."""
    Path(PROFILE).mkdir(exist_ok=True)
    env = environment()
    browser = ["firefox-esr", "--no-remote", "--kiosk", "--profile", PROFILE, ADDRESS]
    keep(
        [
            Kept(jupyter(), env),
            Kept(["openbox"], env, screen_is_there),
            Kept(browser, env, lambda: screen_is_there() and jupyter_answers()),
        ]
    )


if __name__ == "__main__":
    main()
