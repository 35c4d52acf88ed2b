"""WSGI entry point of the web app: ``gunicorn strongroom.web.wsgi``."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

# The worker's user shares the database through the group.
os.umask(0o007)
os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.settings"
application = get_wsgi_application()
