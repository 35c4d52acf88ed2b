"""Django settings of the web app and the worker, all derived from the layout of the installation.

There is no admin, no superuser and no password here: people come from the identity provider, power lies with the warden.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from strongroom.layout import DEFAULT_PORT, Layout

LAYOUT = Layout.current()
FOLDER = LAYOUT.state_of("web")
HERE = Path(__file__).parent / "web"


def _secret_key(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path.parent} does not exist: make it, owned by {LAYOUT.user('web')}") from error
    except PermissionError:
        return secrets.token_urlsafe(48)
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
    try:
        return path.read_text()
    except PermissionError:
        # The worker shares the database, not the key: it signs nothing that a browser shows.
        return secrets.token_urlsafe(48)


DEBUG = False
SECRET_KEY = _secret_key(FOLDER / "secret.key")
EXACT_HOSTS = frozenset({LAYOUT.app_host, f"localhost:{LAYOUT.outside_port}"})
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "strongroom.web.urls"
WSGI_APPLICATION = "strongroom.web.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False
DATETIME_FORMAT = "j F Y, H:i"
APPEND_SLASH = False

INSTALLED_APPS = ["django.forms", "strongroom.records.apps.RecordsConfig", "strongroom.web.apps.WebConfig"]
MIDDLEWARE = [
    "strongroom.web.middleware.Headers",
    "strongroom.web.middleware.ExactHost",
    "django.middleware.security.SecurityMiddleware",
    "strongroom.web.middleware.Rooms",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "strongroom.web.middleware.Listener",
    "strongroom.web.middleware.Troubles",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["strongroom.web.context.page"],
            "builtins": ["strongroom.web.templatetags.strongroom"],
        },
    }
]
FORM_RENDERER = "strongroom.web.forms.Renderer"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "web.sqlite3",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# Cookies do not know ports: the port in the name keeps two installations on one machine apart.
_SUFFIX = "" if LAYOUT.port == DEFAULT_PORT else f"-{LAYOUT.port}"
ROOM_COOKIE = f"__Host-strongroom{_SUFFIX}"
CSRF_COOKIE_NAME = f"__Host-strongroom-csrf{_SUFFIX}"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "strongroom.web.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 25 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"django": {"handlers": [], "level": "WARNING", "propagate": True}},
}
