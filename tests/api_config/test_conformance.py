"""Each conformance class the service declares, with the tests that stand behind it; a class without one fails here."""

import ast
from pathlib import Path
from typing import Any

import pytest

from api_config.routes import FAMILIES
from api_config.web.family import conformance_of

CONFORMANCE = conformance_of(FAMILIES)
COMMON = "http://www.opengis.net/spec/ogcapi-common"
FEATURES = "http://www.opengis.net/spec/ogcapi-features"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
TILES = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
BEHIND: dict[str, tuple[str, ...]] = {
    f"{COMMON}-1/1.0/conf/core": ("test_landing_page_links_lead_to_answers", "test_every_documented_path_answers_and_not_with_405"),
    f"{COMMON}-1/1.0/conf/landing-page": ("test_landing_page_links_lead_to_answers",),
    f"{COMMON}-1/1.0/conf/html": ("test_every_address_with_a_page_weighs_what_the_client_likes",),
    f"{COMMON}-1/1.0/conf/json": ("test_each_answer_has_its_media_type_and_varies_with_what_it_depends_on",),
    f"{COMMON}-1/1.0/conf/oas30": ("test_openapi_document_is_valid_openapi_3", "test_openapi_references_all_resolve"),
    f"{COMMON}-2/1.0/conf/collections": ("test_collections_list_each_layer_with_extent_crs_and_storage_crs", "test_collection_says_the_same_alone_as_in_the_list"),
    f"{FEATURES}-1/1.0/conf/core": (
        "test_bbox_finds_exactly_the_features_that_meet_the_box_in_its_own_system", "test_datetime_gives_what_was_true_then", "test_plain_parameters_ask_for_equality",
        "test_pages_hold_each_feature_once_and_the_last_full_page_has_no_next", "test_what_is_asked_wrongly_is_refused_in_both_languages", "test_one_item_is_the_same_as_in_the_list",
    ),
    f"{FEATURES}-1/1.0/conf/geojson": ("test_items_are_geojson_by_name_and_the_last_full_page_has_no_next", "test_geopandas_reads_items_by_their_address"),
    f"{FEATURES}-1/1.0/conf/html": ("test_json_is_chosen_by_f_and_by_accept_and_wins_without_a_word", "test_an_item_page_carries_no_attribute_as_script"),
    f"{FEATURES}-1/1.0/conf/oas30": ("test_openapi_document_is_valid_openapi_3", "test_every_route_that_answers_is_in_openapi_and_every_path_there_is_routed"),
    f"{FEATURES}-2/1.0/conf/crs": (
        "test_coordinates_come_in_the_system_asked_for_with_its_axis_order", "test_one_feature_comes_in_the_system_asked_for",
        "test_bbox_finds_exactly_the_features_that_meet_the_box_in_its_own_system", "test_without_crs_the_answer_is_in_longitude_latitude",
    ),
    f"{FEATURES}-3/1.0/conf/filter": ("test_a_filter_that_cannot_be_read_is_refused_with_words", "test_geometries_in_a_filter_have_the_axis_order_of_their_system"),
    f"{FEATURES}-3/1.0/conf/features-filter": ("test_filter_finds_what_reading_every_feature_finds", "test_filter_joins_with_bbox_words_and_plain_parameters"),
    f"{FEATURES}-3/1.0/conf/queryables": ("test_every_queryable_can_be_filtered_and_every_sortable_sorted", "test_schemas_are_valid_json_schemas_that_name_real_properties"),
    f"{FEATURES}-3/1.0/conf/queryables-query-parameters": ("test_plain_parameters_ask_for_equality", "test_every_queryable_is_a_parameter_in_openapi_with_its_type"),
    f"{FEATURES}-5/1.0/conf/schemas": ("test_schemas_of_every_layer_keep_the_rules_of_part_5", "test_schemas_are_valid_json_schemas_that_name_real_properties"),
    f"{FEATURES}-5/1.0/conf/core-roles-features": ("test_schemas_of_every_layer_keep_the_rules_of_part_5",),
    f"{FEATURES}-5/1.0/conf/returnables-and-receivables": ("test_features_are_valid_against_the_schema_of_their_collection",),
    f"{FEATURES}-5/1.0/conf/queryables": ("test_every_queryable_can_be_filtered_and_every_sortable_sorted", "test_schemas_of_every_layer_keep_the_rules_of_part_5"),
    f"{FEATURES}-5/1.0/conf/sortables": ("test_every_queryable_can_be_filtered_and_every_sortable_sorted", "test_order_is_by_value_with_nulls_first_ascending_and_ties_by_age"),
    f"{CQL2}/cql2-text": ("test_filter_finds_what_reading_every_feature_finds", "test_a_declared_class_of_cql2_finds_what_its_words_mean"),
    f"{CQL2}/cql2-json": ("test_filter_means_the_same_in_json_and_in_text",),
    f"{CQL2}/basic-cql2": ("test_filter_finds_what_reading_every_feature_finds", "test_a_declared_class_of_cql2_finds_what_its_words_mean"),
    f"{CQL2}/advanced-comparison-operators": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/case-insensitive-comparison": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/accent-insensitive-comparison": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/property-property": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/arithmetic": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/basic-spatial-functions": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/basic-spatial-functions-plus": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/spatial-functions": ("test_a_declared_class_of_cql2_finds_what_its_words_mean", "test_filter_finds_what_reading_every_feature_finds"),
    f"{CQL2}/temporal-functions": ("test_a_declared_class_of_cql2_finds_what_its_words_mean",),
    f"{CQL2}/functions": ("test_a_declared_class_of_cql2_finds_what_its_words_mean", "test_functions_of_ours_are_listed_with_their_arguments"),
    f"{TILES}/core": ("test_a_tile_holds_the_features_whose_geometry_meets_it", "test_an_empty_tile_is_204_and_one_out_of_range_404"),
    f"{TILES}/tileset": ("test_tileset_metadata_describe_the_tiles_there_are",),
    f"{TILES}/tilesets-list": ("test_tileset_metadata_describe_the_tiles_there_are",),
    f"{TILES}/geodata-tilesets": ("test_every_link_of_a_collection_answers_with_the_media_type_it_promises", "test_all_tiles_of_a_zoom_together_hold_every_feature"),
    f"{TILES}/dataset-tilesets": ("test_a_tile_of_the_town_holds_what_the_tiles_of_its_layers_hold", "test_tilesets_of_the_town_describe_the_tiles_there_are"),
    f"{TILES}/collections-selection": ("test_collections_names_the_layers_of_a_tile_of_the_town",),
    f"{TILES}/datetime": ("test_datetime_and_recorded_of_a_tile_show_the_past", "test_a_tile_of_the_town_shows_the_past_too"),
    f"{TILES}/oas30": ("test_operations_on_tiles_end_as_the_standard_names_them",),
    f"{TILES}/mvt": ("test_a_tile_carries_the_properties_of_its_features", "test_gdal_reads_the_vector_tiles_of_the_service"),
}  # fmt: skip


@pytest.fixture(scope="module")
def tests_there() -> set[str]:
    """The names of all test functions beside this file, with at least one assertion or raised expectation in them."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(isinstance(inner, ast.Assert) for inner in ast.walk(node)):
                found.add(node.name)
    return found


def test_every_declared_class_has_tests_behind_it_and_no_other_is_listed() -> None:
    assert set(BEHIND) == set(CONFORMANCE)
    assert all(BEHIND.values())


def test_the_tests_behind_a_class_exist(tests_there: set[str]) -> None:
    absent = {name: set(behind) - tests_there for name, behind in BEHIND.items()}

    assert {name: tests for name, tests in absent.items() if tests} == {}


def test_the_service_declares_these_classes(inside: Any) -> None:
    assert inside.get("/conformance").json() == {"conformsTo": sorted(CONFORMANCE)}
