"""HTML for people: the documents of the service as pages, in Chinese or English.

Not here: markup and words (`api_config/templates/`), drawings as SVG (`tiles/svg/`), the routes that ask for pages.

    landing_page(call, document, overview(call))        # bytes; nothing inline, every value escaped
    item_page(call, layer, document, neighbours(call, layer, query))
"""

__all__ = ["address", "map", "pages", "render", "samples"]
