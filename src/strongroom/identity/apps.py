"""Django application of the identity provider."""

from __future__ import annotations

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Registers the models and ties single sign-out to the session."""

    name = "strongroom.identity"
    label = "identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_out

        from strongroom.identity import provider

        provider.install()
        user_logged_out.connect(provider.end_grants_of_session, dispatch_uid="identity-end-grants")
