"""The embedded OpenID Connect provider: people, passwords, second factors and directory groups; no project roles."""
