"""The demonstration's real pupils: Chem97 out of Debian's package r-cran-mlmrev, as a CSV file."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from strongroom.platforms.podman import engine

PACKAGE = "r-cran-mlmrev"
LIBRARY = "usr/lib/R/site-library/mlmRev/data/Rdata"
ROWS = 31_022
PROGRAM = """
data <- new.env()
lazyLoad("/package/Rdata", envir = data)
write.csv(data$Chem97, "/out/chem97.csv", row.names = FALSE, quote = FALSE)
"""


class NoData(RuntimeError):
    """The pupils' file could not be made; says why."""


def pupils(folder: Path, image: str) -> Path:
    """Path of ``chem97.csv`` in a folder (made there once): downloads the package and reads it with the image's R.

    The container has no network. Raises NoData when the package or R fails.
    """
    target = folder / "chem97.csv"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(prefix="strongroom-data-") as scratch:
        work = Path(scratch)
        out = work / "out"
        out.mkdir()
        out.chmod(0o777)
        _run(["apt-get", "download", PACKAGE], work)
        package = next(work.glob(f"{PACKAGE}_*.deb"), None)
        if package is None:
            raise NoData(f"the package {PACKAGE} did not arrive: run apt-get update and try again")
        _run(["dpkg-deb", "-x", str(package), str(work / "tree")], work)
        source = (work / "tree" / LIBRARY).parent
        command = ["podman", "run", "--rm", "--network", "none", "--log-driver", "none", "--ulimit", "nofile=4096:4096"]
        command += ["--ulimit", "nproc=4096:4096", "-v", f"{source}:/package:ro", "-v", f"{out}:/out"]
        _run([*command, image, "Rscript", "-e", PROGRAM], work)
        made = out / "chem97.csv"
        if not made.exists() or len(made.read_bytes().splitlines()) != ROWS + 1:
            raise NoData("R did not write the 31,022 pupils")
        folder.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        fresh.write_bytes(made.read_bytes())
        fresh.replace(target)
    return target


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**engine.environ(), "LC_ALL": "C.UTF-8"}
    )
    if done.returncode:
        raise NoData(f"{command[0]} failed: {done.stderr.strip()[-400:]}")
