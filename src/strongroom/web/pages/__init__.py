"""Pages by subject: each module has ``urlpatterns``, found by ``web.urls``."""
