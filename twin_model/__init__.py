"""What the town *is* and remembers: layers, features, changesets, store, network, buildings, relief, analysis.

Not here: file formats (`ingest`), HTTP (`api_config`), tiles and encodings (`tiles`).

    from twin_model import open_town
    town = open_town("town")
    town.layers()
    town.features("building", where="storeys > 10")
"""

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.errors import TwinError
from twin_model.town import Town, init_town, open_town
from twin_model.versioning import commit

__all__ = ["Catalogue", "Town", "TwinError", "commit", "init_town", "open_town", "read_catalogue"]
