"""The bytes of a MapInfo file decide over its Charset; what is as declared is read by GDAL as it lies there."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from vector_readings import EAST, NORTH

from ingest.vector.dbf_text import TableEncoding
from ingest.vector.file import VectorFile
from ingest.vector.mapinfo_text import mapinfo_encoding

NAMES = ["兰陵路雨水检查井", "代村河桥", "凤凰路"]
BYTES = {"utf-8": "UTF-8", "gbk": "WindowsSimpChinese"}
MIF = """Version 300
{charset}Delimiter ","
CoordSys NonEarth Units "m" Bounds (0, 0) (10000000, 10000000)
Columns 2
  名称 Char(40)
  N Integer
Data

"""


def interchange_file(folder: Path, charset: str, encoding: str) -> Path:
    path = folder / "wells.mif"
    head = MIF.format(charset=f'Charset "{charset}"\n' if charset else "")
    points = "".join(f"Point {EAST + n} {NORTH}\n" for n in range(len(NAMES)))
    path.write_bytes((head + points).encode(encoding))
    path.with_suffix(".mid").write_bytes("".join(f'"{name}",{n}\n' for n, name in enumerate(NAMES)).encode(encoding))
    return path


def table(folder: Path, charset: str, encoding: str) -> Path:
    path, points = folder / "wells.tab", [shapely.Point(EAST + n, NORTH) for n in range(len(NAMES))]
    frame = gpd.GeoDataFrame({"名称": NAMES, "N": range(len(NAMES))}, geometry=points, crs="EPSG:4548")
    frame.to_file(path, driver="MapInfo File", ENCODING={"gbk": "CP936"}.get(encoding, encoding))
    says = BYTES[encoding].encode()
    head = path.read_bytes().replace(b"!charset " + says + b"\n", f"!charset {charset}\n".encode() if charset else b"")
    path.write_bytes(head.replace(b'Charset "' + says + b'"', f'Charset "{charset}"'.encode() if charset else b""))
    return path


@pytest.mark.parametrize("write", [interchange_file, table])
@pytest.mark.parametrize("encoding", BYTES)
@pytest.mark.parametrize("charset", [*BYTES.values(), "WindowsLatin1", "Neutral", ""])
def test_names_and_texts_are_what_their_bytes_are(
    tmp_path: Path, write: Callable[..., Path], charset: str, encoding: str
) -> None:
    path = write(tmp_path, charset, encoding)
    before = {part.name: part.read_bytes() for part in tmp_path.iterdir()}

    file = VectorFile(path, path.name)
    layer = file.layer(*file.names()[0])
    rows = [batch.columns for batch in file.batches(layer, ["名称", "N"], 2)]

    assert [name for columns in rows for name in columns["名称"]] == NAMES
    assert [number for columns in rows for number in columns["N"]] == [0, 1, 2]
    assert (file.contradicted is not None) == (charset not in (BYTES[encoding], "Neutral", ""))
    assert {part.name: part.read_bytes() for part in tmp_path.iterdir()} == before


def test_a_named_encoding_goes_before_what_the_bytes_look_like(tmp_path: Path) -> None:
    path = interchange_file(tmp_path, "WindowsLatin1", "gbk")
    path.write_bytes(path.read_bytes().decode("gbk").replace("名称", "名稱").encode("big5"))
    path.with_suffix(".mid").write_bytes('"縣府路",1\n"橋",2\n"井",3\n'.encode("big5"))

    file = VectorFile(path, path.name, "big5")
    (batch,) = file.batches(file.layer(*file.names()[0]), ["名稱"], 9)

    assert batch.columns["名稱"].tolist() == ["縣府路", "橋", "井"]


def test_a_charset_of_a_code_page_is_known_and_plain_ascii_needs_none(tmp_path: Path) -> None:
    path = interchange_file(tmp_path, "CodePage437", "utf-8")

    assert mapinfo_encoding(path) == TableEncoding("utf-8", "cp437")
    path.write_bytes(path.read_bytes().replace("名称".encode(), b"NAME"))
    path.with_suffix(".mid").write_bytes(b'"a",1\n"b",2\n"c",3\n')
    assert mapinfo_encoding(path) is None
