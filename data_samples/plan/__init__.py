"""The town as its planners know it: streets, water, rail, blocks, buildings, trees and pipes.

Everything is in EPSG:4548 metres, x = east, y = north, heights in the 1985 datum. File formats live in
`writers/`; nothing here knows one.

    from data_samples.plan.town import build_town
    town = build_town()
    len(town.buildings)
"""
