"""All that the web side may ask of a warden: frozen dataclasses and a client."""
