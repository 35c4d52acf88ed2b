"""systemd units of an instance, generated from the process table: for a host that would rather not run our supervisor.

``python -m strongroom.operate.units FOLDER`` writes them; those in ``deploy/systemd`` are of the instance ``main``.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from strongroom.layout import Layout
from strongroom.operate.processes import ROOT, Process, table, venv

HEADER = "# Generated from strongroom.operate.processes; do not edit.\n"


def unit_name(layout: Layout, name: str) -> str:
    """File name of the unit of one process."""
    return f"{layout.label(name)}.service"


def unit(layout: Layout, process: Process) -> str:
    """The unit of one process."""
    needs = " ".join(unit_name(layout, name) for name in ("prepare", *process.needs))
    elevated = "+" if process.prepared_by == ROOT and process.user != ROOT else ""
    lines = ["[Unit]", f"Description=Strongroom {process.name} ({layout.instance})", f"PartOf={target_name(layout)}"]
    lines += [f"Wants={needs}", f"After={needs}"]
    lines += ["", "[Service]", f"User={process.user}"]
    if process.groups:
        lines += [f"SupplementaryGroups={' '.join(process.groups)}"]
    lines += [f'Environment="{name}={value}"' for name, value in sorted(process.environ.items())]
    lines += [f"ExecStartPre={elevated}{shlex.join(argv)}" for argv in process.prepare]
    lines += [f"ExecStart={shlex.join(process.argv)}"]
    if process.ports:
        lines += [f"ExecStartPost=+{venv(layout)}/bin/python -m strongroom.operate.gateway"]
    lines += ["WorkingDirectory=/", f"UMask={process.umask:04o}"]
    lines += ["NoNewPrivileges=yes", "Restart=always", "RestartSec=1", f"TimeoutStopSec={process.stop_seconds}"]
    if process.user != ROOT:
        lines += ["CapabilityBoundingSet=", "PrivateDevices=yes", "ProtectHome=yes", "ProtectKernelModules=yes"]
        lines += ["ProtectKernelTunables=yes", "ProtectSystem=strict", f"ReadWritePaths={layout.state} {layout.run}"]
    return HEADER + "\n".join([*lines, "", "[Install]", f"WantedBy={target_name(layout)}", ""])


def prepare_unit(layout: Layout) -> str:
    """Folders that a restart of the machine took away, before anything else."""
    environ = {**layout.environ(), "PYTHONPATH": f"{layout.code}/src"}
    lines = ["[Unit]", f"Description=Strongroom folders ({layout.instance})", "", "[Service]", "Type=oneshot"]
    lines += ["RemainAfterExit=yes", *(f'Environment="{name}={value}"' for name, value in sorted(environ.items()))]
    return HEADER + "\n".join([*lines, f"ExecStart={venv(layout)}/bin/python -m strongroom.operate.install", ""])


def target_name(layout: Layout) -> str:
    """File name of the unit that stands for the whole instance."""
    return f"strongroom-{layout.instance}.target"


def units(layout: Layout) -> dict[str, str]:
    """File name and text of every unit of the instance."""
    processes = table(layout, {})
    wants = " ".join(unit_name(layout, process.name) for process in processes)
    target = f"[Unit]\nDescription=Strongroom ({layout.instance})\nWants={wants}\n\n[Install]\nWantedBy=multi-user.target\n"
    found = {unit_name(layout, process.name): unit(layout, process) for process in processes}
    return {**found, unit_name(layout, "prepare"): prepare_unit(layout), target_name(layout): HEADER + target}


def write(folder: Path, layout: Layout) -> None:
    """Write all units into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units(layout).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Layout())
