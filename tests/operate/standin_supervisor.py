"""A supervisor over stand-in processes, run by the supervisor's tests in a process of its own."""

from __future__ import annotations

import sys

from strongroom.layout import Layout
from strongroom.operate import supervisor
from strongroom.operate.processes import Process

PYTHON = "/usr/bin/python3"
LISTEN = """
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""
# Ignores the polite request to stop, and so does its child.
STUBBORN = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.fork(); time.sleep(600)"


def table(layout: Layout) -> tuple[Process, ...]:
    """A listener as the web user that needs one as the identity user, and one process that does not want to stop."""
    environ = layout.environ()
    first, second = layout.identity_socket, layout.web_socket
    mark = layout.state_of("identity") / "prepared"
    return (
        Process(
            name="first",
            user=layout.user("identity"),
            prepare=(("/usr/bin/touch", str(mark)),),
            argv=(PYTHON, "-c", LISTEN, str(first)),
            environ=environ,
            state=layout.state_of("identity"),
            sockets=(first,),
        ),
        Process(
            name="second",
            user=layout.user("web"),
            groups=(layout.user("identity"),),
            argv=(PYTHON, "-c", LISTEN, str(second)),
            environ=environ,
            state=layout.state_of("web"),
            sockets=(second,),
            needs=("first",),
        ),
        Process(
            name="stubborn",
            user=layout.user("worker"),
            argv=(PYTHON, "-c", STUBBORN),
            environ=environ,
            state=layout.state_of("worker"),
            stop_seconds=1,
        ),
    )


if __name__ == "__main__":
    here = Layout.current()
    sys.exit(supervisor.run(here, table(here)))
