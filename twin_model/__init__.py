"""What the town *is* and remembers: layers, features, changesets, store, time, relief.

Not here: file formats (`ingest`), HTTP (`api_config`), tiles and encodings (`tiles`).

    >>> town = open_town("town")
    >>> town.layers("en").loc["building", "title"]
    'Buildings'
    >>> town.features("building", where="storeys > 10").index.tolist()
    ['building.2']
"""

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.errors import TwinError
from twin_model.town import Town, init_town, open_town
from twin_model.versioning import commit

__all__ = ["Catalogue", "Town", "TwinError", "commit", "init_town", "open_town", "read_catalogue"]
