"""``python -m strongroom.worker``: run until told to stop; may be killed at any moment and started again."""

from __future__ import annotations

import logging
import os
import signal
import threading


def main() -> None:
    """Set Django up and run the loop."""
    os.umask(0o007)
    os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.settings"
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    import django

    django.setup()
    from strongroom.layout import Layout
    from strongroom.worker.loop import Worker

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Worker(Layout.current()).run(stop)


if __name__ == "__main__":
    main()
