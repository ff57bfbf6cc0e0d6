"""How tests start Chromium, and how they know that a deck.gl page is drawn."""

FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
OFFLINE_FLAGS = [*FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND"]
"""No name of a host is found."""

DECK_LOADED = """() => { const layers = deckInstance.layerManager ? deckInstance.layerManager.getLayers() : [];
  return layers.length > 0 && layers.every(layer => layer.isLoaded); }"""
