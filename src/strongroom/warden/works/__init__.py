"""What brings the world to the record: one function per kind of work, each safe to run again at any time."""

from collections.abc import Callable

from strongroom.warden.hands import Hands
from strongroom.warden.works import deposits, ending, environments, integrity, outputs

HANDLERS: dict[str, Callable[[Hands, str, str], None]] = {
    "environment.prepare": environments.prepare,
    "environment.rebuild": environments.rebuild,
    "environment.keep": environments.keep,
    "environment.freeze": environments.freeze,
    "environment.probe": environments.probe,
    "environment.end": ending.environment,
    "deposit.prepare": deposits.prepare,
    "deposit.receive": deposits.receive,
    "deposit.seal": deposits.seal,
    "deposit.mount": deposits.mount,
    "deposit.verify": integrity.verify,
    "deposit.discard": deposits.discard,
    "egress.freeze": outputs.freeze,
    "egress.check": outputs.check,
    "egress.release": outputs.release,
    "egress.discard": outputs.discard,
    "project.end": ending.project,
}
