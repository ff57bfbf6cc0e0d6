"""The viewer over a town of monsters: it opens, shows what is sound and lists the rest; nothing on the page fails."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from chromium import FLAGS
from monsters import SOUND, fill_with_monsters, own_layers
from playwright.sync_api import expect, sync_playwright
from viewer_visit import CHROMIUM, Visit

from twin_model.town import init_town


@pytest.mark.proof
def test_the_viewer_stands_over_a_town_of_monsters(
    tmp_path: Path, serving: Callable[..., AbstractContextManager[str]]
) -> None:
    with init_town(tmp_path / "town", name="<b>小镇</b>", crs="EPSG:4548") as town:
        fill_with_monsters(town, 1_000_000)
    with serving(tmp_path / "town") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        visit = Visit(browser, address)
        visit.open()
        listed = {layer["id"] for layer in visit.run("() => twin.config.layers") if layer["features"]}
        visit.show(SOUND, *own_layers(3))
        visit.settle()
        titles = visit.page.locator(".tree-title").all_text_contents()
        expect(visit.page.locator("h1")).to_have_text("<b>小镇</b>")
        browser.close()

    assert {SOUND, *own_layers(3)} <= listed
    assert any(title.startswith("<i>strange_words</i>") for title in titles)
    assert visit.troubles == []
