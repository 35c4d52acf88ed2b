"""WSGI entry point of the identity provider: ``gunicorn strongroom.identity.wsgi``."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.identity.settings"
application = get_wsgi_application()
