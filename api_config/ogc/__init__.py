"""The only room that knows pygeoapi: landing page, collections and OpenAPI come through this bridge."""
