"""Drawings as SVG: frames, paths, graticule, scale bars. Numbers and paths leave here; words are the caller's.

Not here: templates that put them together (`api_config/templates/map.html`), tiles (`tiles/`).

    >>> from tiles.svg.plan import frame_of, svg_path
    >>> frame_of((118.29, 35.08, 118.31, 35.10), 960.0, 0.06).height
    624
    >>> svg_path("POLYGON ((0 0, 10 0, 0 10, 0 0))")
    'M0 0L10 0L0 10L0 0Z'
"""

__all__ = ["plan"]
