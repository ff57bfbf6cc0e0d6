"""Run by QGIS's own Python: opens a GeoPackage store and an OGC API address as a planner's QGIS would, tells what it sees.

python3 qgis_looks.py STORE.gpkg http://127.0.0.1:8000
"""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsDataSourceUri,
    QgsFeatureRequest,
    QgsProviderRegistry,
    QgsRectangle,
    QgsVectorLayer,
)


def look_at_store(path: str) -> dict[str, object]:
    sublayers = QgsProviderRegistry.instance().querySublayers(path)
    layer = QgsVectorLayer(f"{path}|layername=building", "building", "ogr")
    style = layer.loadDefaultStyle()
    fields = layer.fields()
    return {
        "layers": sorted(one.name() for one in sublayers),
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "crs": layer.crs().authid(),
        "storeys": fields.field("storeys").alias() or layer.attributeAlias(fields.indexOf("storeys")),
        "styled": bool(style[1]),
        "renderer": layer.renderer().type() if layer.renderer() else None,
    }


def look_at_service(url: str) -> dict[str, object]:
    uri = QgsDataSourceUri()
    uri.setParam("url", url)
    uri.setParam("typename", "building")
    uri.setParam("restrictToRequestBBOX", "1")
    layer = QgsVectorLayer(uri.uri(False), "building", "OAPIF")
    box = layer.extent()
    box.scale(0.3)
    inside = list(layer.getFeatures(QgsFeatureRequest().setFilterRect(QgsRectangle(box))))
    return {
        "valid": layer.isValid(),
        "error": layer.error().message(),
        "crs": layer.crs().authid(),
        "inside": len(inside),
        "box": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
        "storeys": sum(1 for one in inside if one["storeys"]),
    }


def main() -> None:
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    print(
        json.dumps({"store": look_at_store(sys.argv[1]), "service": look_at_service(sys.argv[2])}, ensure_ascii=False)
    )
    application.exitQgis()


if __name__ == "__main__":
    main()
