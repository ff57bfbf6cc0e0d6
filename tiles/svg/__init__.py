"""Drawings as SVG: frames, paths, graticule, scale bars. Numbers and paths leave here; words are the caller's.

Not here: templates that put them together (`api_config/templates/map.html`), tiles (`tiles/`).

    frame = frame_of((118.29, 35.08, 118.31, 35.10), 960.0, 0.06)
    svg_path(shapely.to_wkt(shapely.transform(shape, frame.xy), rounding_precision=1))
"""

__all__ = ["plan"]
