"""What is looked for can be told apart and followed: search results, links between features, states of a feature."""

import re

from playwright.sync_api import expect
from viewer_visit import Visit


def look_for(visit: Visit, words: str) -> None:
    visit.page.locator("#search").click()
    visit.page.keyboard.press("Control+a")
    visit.page.keyboard.type(words)
    expect(visit.page.locator(".results [role=option]").first).to_be_visible()


def test_two_results_alike_differ_by_their_place_and_none_overflows_its_row(visit: Visit) -> None:
    look_for(visit, "检修井")

    rows = visit.page.locator(".results [role=option]")
    kinds = rows.locator(".results-kind").all_inner_texts()
    assert len(kinds) == len(set(kinds)) > 1
    assert all("检修井" in kind and re.search(r"X \d+ Y \d+", kind) for kind in kinds)
    assert rows.first.get_attribute("title")
    spans = ".results [role=option] span"
    inside = """(spans) => spans.every(span => span.getBoundingClientRect().right
      <= span.closest('.results').getBoundingClientRect().right)"""
    assert visit.page.locator(spans).evaluate_all(inside)
    visit.page.keyboard.press("Escape")


def test_a_search_result_is_called_by_words_never_by_a_code(visit: Visit) -> None:
    layers = visit.run("() => twin.config.layers")
    codes = {code for layer in layers for field in layer["fields"] for code in field.get("codes") or {}}
    look_for(visit, "沂蒙大道")

    titles = visit.page.locator(".results-title").all_inner_texts()

    assert titles
    assert codes.isdisjoint(titles)
    visit.page.keyboard.press("Escape")


def test_the_end_point_of_a_pipe_is_a_link_to_that_point(visit: Visit) -> None:
    visit.show("building")
    pipe = visit.get("/collections/pipe_line/items?limit=1")["features"][0]
    visit.run("([id]) => twin.showFeature('pipe_line', id)", pipe["id"])
    panel = visit.page.locator(".attributes")
    expect(panel.locator(".attributes-id")).to_have_text(pipe["id"])
    assert panel.inner_text().count(pipe["id"]) == 1
    link = panel.locator("[data-field=end_no] button")
    expect(link).to_have_text(pipe["properties"]["end_no"])

    link.click()

    expect(panel.locator("h2")).to_have_text(pipe["properties"]["end_no"])
    expect(panel.locator(".attributes-kind")).to_contain_text("管线点")
    visit.page.keyboard.press("Escape")


def test_a_part_of_a_building_shows_its_colour_and_leads_to_its_storey(visit: Visit) -> None:
    part = visit.get("/collections/bim_element/items?limit=1")["features"][0]
    visit.run("([id]) => twin.showFeature('bim_element', id)", part["id"])
    panel = visit.page.locator(".attributes")

    color = panel.locator("[data-field=color] td")

    expect(color).not_to_contain_text("#")
    expect(color.locator("svg rect")).to_have_attribute("fill", part["properties"]["color"])
    panel.locator("[data-field=storey] button").click()
    expect(panel.locator(".attributes-kind")).to_contain_text("BIM 楼层")
    expect(panel.locator("h2")).to_have_text(part["properties"]["storey"])
    visit.page.keyboard.press("Escape")


def test_the_history_of_a_feature_leads_to_the_day_of_a_state(visit: Visit) -> None:
    building = visit.get("/collections/building/items?limit=1")["features"][0]
    visit.run("([id]) => twin.showFeature('building', id)", building["id"])
    history = visit.page.locator(".attributes .history")

    history.locator("summary").click()

    states = history.locator(".history-states button")
    versions = visit.get(f"/collections/building/items/{building['id']}/versions")["features"]
    expect(states).to_have_count(len(versions))
    states.first.click()
    assert visit.run("() => twin.time.shown") == "2024-03-01"
    visit.run("() => { twin.time.day = undefined; }")
    visit.page.keyboard.press("Escape")
