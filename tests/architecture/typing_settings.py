"""Settings for mypy's Django plugin alone: it knows one settings module, and we have two Django projects.

Their settings are read, not imported: importing them would ask for an installation's keys.
"""

from __future__ import annotations

import ast
from pathlib import Path

from django.conf import global_settings

SECRET_KEY = "type checking needs none"  # noqa: S105
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _constants(path: Path) -> dict[str, object]:
    """Names assigned in a settings file, with their values where those are literals; none if there is no such file."""
    found: dict[str, object] = {}
    for node in ast.parse(path.read_text()).body if path.is_file() else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                found[node.targets[0].id] = None
    return found


_SRC = Path(__file__).parents[2] / "src" / "strongroom"
_projects = [_constants(_SRC / "identity" / "settings.py"), _constants(_SRC / "settings.py")]
AUTH_USER_MODEL = next((str(each["AUTH_USER_MODEL"]) for each in _projects if "AUTH_USER_MODEL" in each), "auth.User")
INSTALLED_APPS: list[str] = []
MIDDLEWARE: list[str] = []
for _project in _projects:
    for _name, _all in (("INSTALLED_APPS", INSTALLED_APPS), ("MIDDLEWARE", MIDDLEWARE)):
        _values = _project.get(_name, [])
        assert isinstance(_values, list)
        _all += [value for value in _values if value not in _all]
    # Settings of our own, so that the plugin knows their names.
    globals().update({key: None for key in _project if key.isupper() and not hasattr(global_settings, key)} | globals())
