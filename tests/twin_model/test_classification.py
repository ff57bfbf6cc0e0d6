"""How a layer is classed: said for the town, for a layer, in the catalogue; findings as high as what they may quote."""

from pathlib import Path

import pytest

from twin_model.classification import Marking, class_of, combined
from twin_model.errors import CatalogueError
from twin_model.town import init_town, open_town


def test_the_nearest_word_holds_and_a_town_that_says_nothing_marks_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    init_town(folder, name="甲", crs="EPSG:4548").store.close()
    with open_town(folder) as town:
        unsaid = {town.marking(layer) for layer in town.catalogue}
    settings = folder / "town.toml"
    words = """classification = { "*" = "internal", building = "公开", street_lamp = "机密" }\nmap_approval = "GS(2026)1号"\n"""
    settings.write_text(settings.read_text("utf-8") + words, "utf-8")
    own = """[pipe_line]\nclassification = "confidential"\nmap_approval = "GS(2026)2号"\n[building]\nclassification = "秘密"\n"""
    (folder / "catalogue" / "own.toml").write_text(own, "utf-8")

    with open_town(folder) as town:
        markings = {
            name: town.marking(town.catalogue[name]) for name in ("building", "pipe_line", "road_area", "finding")
        }

    assert unsaid == {Marking()}
    assert markings == {
        "building": Marking("公开", "GS(2026)1号"),
        "pipe_line": Marking("秘密", "GS(2026)2号"),
        "road_area": Marking("内部", "GS(2026)1号"),
        "finding": Marking("机密", "GS(2026)1号"),
    }
    assert [marking.is_restricted for marking in markings.values()] == [False, True, False, True]


def test_a_word_of_the_catalogue_that_is_no_class_is_refused_with_those_that_are(tmp_path: Path) -> None:
    init_town(tmp_path / "town", name="甲", crs="EPSG:4548").store.close()
    (tmp_path / "town" / "catalogue" / "own.toml").write_text("[building]\nclassification = '绝密'\n", "utf-8")

    with pytest.raises(CatalogueError, match="classification = '绝密'.*公开.*机密"):
        open_town(tmp_path / "town")


def test_markings_are_ordered_and_told_in_both_languages() -> None:
    marking = combined([Marking("公开", "1号"), Marking("秘密"), Marking("", "2号"), Marking("内部", "1号")])

    assert marking == Marking("秘密", "1号, 2号")
    assert marking.text("zh") == "密级：秘密　审图号：1号, 2号"
    assert marking.text("en") == "Classification: confidential; Map approval number: 1号, 2号"
    assert marking.facts == {"密级": "秘密", "classification": "confidential", "审图号": "1号, 2号"}
    assert combined([]) == Marking() and Marking().text("zh") == "" and Marking().facts == {}
    assert class_of(" Internal ") == class_of("内部") == "内部"
