"""Every remedy that a message names exists, and a test executes it: verbs, options, keys of a mapping and of town.toml."""

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import click
import geopandas as gpd
import shapely
from message_areas import NAMING_AREAS
from source_trees import tree_of
from twin_command import run_twin

from api_config.cli import make_cli
from twin_model.messages import LANGUAGES, messages, render
from twin_model.messages.command_lines import CommandLine, pasted_as

ROOT = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
FIELD = re.compile(r"\{(\w+)")
CALL = re.compile(r"(?<![\w/.-])twin (?=--town|[a-z])((?:(?! twin )[^。；，：“”（）\u4e00-\u9fff])*)")
KEYS = re.compile(
    r"options\.(?:survey\.)?[a-z_]+(?=\W)|survey_aliases|cass_table|publish_underground = |closed = |\[\[layer\]\]"
    r"|(?:axes|offset|unit|units|anywhere|encoding|section) = "
)
COMMANDS = "tests/api_config/test_history_commands.py::"
DELIVERY = "tests/api_config/test_source_delivery.py::"
PLACES = "tests/ingest/test_coordinates.py::"
SURVEY = "tests/ingest/test_survey_findings.py::"
DRAFTS = "tests/ingest/test_mapping_draft.py::test_a_draft_is_checked_and_delivered_as_it_is_and_learned_for_the_next_file_of_its_form"
COVERS = f"{COMMANDS}test_what_a_delivery_covers_is_said_with_scope_and_too_much_vanishing_asks_first"
LIMITS = f"{DELIVERY}test_the_command_refuses_what_takes_too_much_by_name_and_reads_it_with_the_option_it_names"
CHOSEN = "tests/api_config/test_findings.py::test_findings_are_chosen_by_file_rule_layer_status_and_place"
MENDED = "tests/api_config/test_doctor.py::test_a_doubled_network_is_told_mended_for_a_reason_and_can_be_undone"
RESTORED = f"{COMMANDS}test_a_backup_is_restored_whole_and_a_damaged_one_refused"
WORDS_ADDED = f"{SURVEY}test_words_that_a_mapping_adds_are_known_and_so_is_a_unit_it_names"
ELSEWHERE = f"{PLACES}test_what_has_no_likely_place_is_stored_where_a_person_says_that_it_is_right"
SERVED = "tests/api_config/test_closed.py::test_serve_publishes_where_the_town_says_so_or_the_layers_are_closed"
GRID = "tests/api_config/test_georeference.py::"
FITTED = f"{GRID}test_axes_that_are_wrong_are_named_and_the_remedy_works"
SEVEN = f"{GRID}test_seven_parameters_ask_for_the_system_and_the_heights_of_the_source"
CRS_WINS = "tests/ingest/test_ifc_placement.py::test_a_conversion_with_the_number_of_its_zone_is_named_and_placed_where_crs_wins"
PLACING = "tests/api_config/test_place.py::"
PLACED = f"{PLACING}test_a_model_without_place_is_told_with_its_size_and_the_command_that_places_it"
PLACED_BY = f"{PLACING}test_points_and_an_outline_place_a_model_and_say_how_well"
TAKEN_BACK = f"{PLACING}test_a_model_is_placed_by_points_and_taken_back_with_the_command_that_is_told"
CLASSIFIED = "tests/api_config/test_export.py::test_what_is_classed_above_internal_asks_for_a_word_that_works"
CLASSED_FINDINGS = "tests/api_config/test_export.py::test_findings_are_classed_as_the_highest_of_what_they_may_quote"
EXECUTED_BY: Mapping[str, tuple[str, str]] = {
    "--accept-removals": (COVERS, "--accept-removals"),
    "--anywhere": (f"{PLACING}test_what_is_called_wrongly_says_what_is_expected", "--anywhere"),
    "--at": (PLACED, "--at"),
    "--classified-ok": (CLASSIFIED, "--classified-ok"),
    "--control": (PLACED_BY, "--control"),
    "--csv": (CLASSED_FINDINGS, "--csv"),
    "--footprint": (PLACED_BY, "--footprint"),
    "--help": (TAKEN_BACK, "--help"),
    "--list": (PLACED, "--list"),
    "--point": (TAKEN_BACK, "--point"),
    "--remove": (TAKEN_BACK, "--remove"),
    "--rotate": (PLACED_BY, "--rotate"),
    "twin findings": (CLASSED_FINDINGS, "findings"),
    "twin check": ("tests/api_config/test_source_delivery.py::test_a_source_of_which_no_row_can_be_read_is_refused_and_makes_no_version", "check"),
    "twin place": (PLACED, "place"),
    "twin export": (
        "tests/ingest/test_town_export.py::test_an_attribute_that_a_shapefile_would_cut_is_edited_in_a_geopackage",
        '"export"',
    ),
    "twin revert": (f"{COMMANDS}test_a_version_is_undone_by_a_new_one_and_its_file_can_come_again", "revert"),
    "--again": ("tests/api_config/test_cli.py::test_the_same_file_again_is_no_change_in_either_language", "--again"),
    "--apply": (MENDED, "--apply"),
    "--as": (f"{COMMANDS}test_findings_go_back_to_the_survey_office_as_a_table", "--as"),
    "--blank": (
        "tests/api_config/test_offices.py::test_what_happened_to_a_network_is_told_in_the_words_of_an_office",
        "--blank",
    ),
    "--crs": ("tests/api_config/test_reports.py::test_one_check_of_a_folder_writes_every_finding_in_every_format", "--crs"),
    "--axes": (FITTED, "--axes"),
    "--crs-wins": (CRS_WINS, "crs_wins=True"),
    "--model": (SEVEN, "--model"),
    "--source-axes": (FITTED, "--source-axes"),
    "--source-crs": (SEVEN, "--source-crs"),
    "--without": (f"{GRID}test_a_point_that_does_not_fit_is_named_and_the_remedy_works", "--without"),
    "twin georeference": (FITTED, "georeference"),
    "--dry-run": (f"{COMMANDS}test_a_dry_run_prints_the_difference_and_stores_nothing", "--dry-run"),
    "--effective": (f"{COMMANDS}test_a_dry_run_prints_the_difference_and_stores_nothing", "--effective"),
    "--encoding": ("tests/ingest/test_encoding.py::test_an_encoding_that_the_caller_names_is_believed", "encoding"),
    "--fail-fast": (f"{DELIVERY}test_with_fail_fast_nothing_is_read_after_a_refusal_and_each_is_named", "fail_fast"),
    "--jobs": (LIMITS, "--jobs"),
    "--json": (MENDED, "--json"),
    "--learn": (DRAFTS, "--learn"),
    "--limit": ("tests/api_config/test_findings.py::test_many_findings_are_grouped_by_rule_and_a_limit_lists_them", "--limit"),
    "--mapping": (DRAFTS, "--mapping"),
    "--memory": (LIMITS, "--memory"),
    "--name": (f"{COMMANDS}test_findings_with_and_without_a_raw_record_go_into_one_table", "--name"),
    "--near": (CHOSEN, "--near"),
    "--reason": (MENDED, "--reason"),
    "--replace": (RESTORED, "--replace"),
    "--report": ("tests/api_config/test_reports.py::test_one_check_of_a_folder_writes_every_finding_in_every_format", "--report"),
    "--rule": (CHOSEN, "--rule"),
    "--scope": (COVERS, "--scope"),
    "--most-files": (RESTORED, "--most-files"),
    "--most-mib": (RESTORED, "--most-mib"),
    "--seconds": (LIMITS, "--seconds"),
    "--sheet": (CHOSEN, "--sheet"),
    "--source": (CHOSEN, "--source"),
    "--store": ("tests/api_config/test_postgis_town.py::towns", "--store"),
    "--to": (f"{COMMANDS}test_a_town_is_copied_into_another_store_and_both_are_equal", "--to"),
    "--town": ("tests/ingest/test_mapping_draft.py::test_a_draft_is_checked_and_delivered_as_it_is_and_learned_for_the_next_file_of_its_form", "--town"),
    "twin audit": (f"{COMMANDS}test_the_chain_is_proved_and_a_broken_link_named", "audit"),
    "twin backup": (RESTORED, "backup"),
    "twin copy": (f"{COMMANDS}test_a_town_is_copied_into_another_store_and_both_are_equal", "copy"),
    "twin doctor": (MENDED, "doctor"),
    "twin history": (f"{COMMANDS}test_the_history_is_told_and_each_changeset_shown", "history"),
    "twin ingest": (COVERS, "ingest"),
    "twin init": (f"{COMMANDS}test_findings_with_and_without_a_raw_record_go_into_one_table", "init"),
    "twin mapping": (DRAFTS, "mapping"),
    "twin restore": (RESTORED, "restore"),
    "twin show": (MENDED, "show"),
    "twin status": (f"{COMMANDS}test_the_status_of_the_past_tells_the_findings_of_then", "status"),
    "[[layer]]": (DRAFTS, "mapping"),
    "options.coordinates": (ELSEWHERE, "anywhere"),
    "options.placement": ("tests/ingest/test_ifc.py::test_furniture_holds_the_volume_that_opencascade_cuts_out_whether_its_opening_reaches_it_or_not", ""),
    "options.survey.classes": (WORDS_ADDED, "classes"),
    "options.survey.maximum_depth": (f"{SURVEY}test_what_depth_is_too_deep_is_a_setting", "maximum_depth"),
    "options.survey.status": (WORDS_ADDED, "status"),
    "options.survey.units": ("tests/ingest/test_depth_unit.py::test_a_table_in_another_unit_is_refused_once_and_both_remedies_read_it", "units"),
    "options.survey": (f"{SURVEY}test_the_remedy_for_swapped_axes_works", "axes"),
    "survey_aliases": ("tests/ingest/test_survey.py::test_an_office_may_name_its_own_columns", "survey_aliases"),
    "cass_table": ("tests/ingest/test_dxf_cass.py::test_the_office_table_and_work_def_lie_over_the_house_table", "cass_table"),
    "publish_underground = ": (SERVED, ""),
    "closed = ": (SERVED, ""),
    "axes = ": (f"{SURVEY}test_the_remedy_for_swapped_axes_works", "axes"),
    "offset = ": (f"{PLACES}test_every_cause_is_named_with_the_crs_that_fits_and_its_remedy_stores_the_rows", "remedy"),
    "unit = ": (f"{PLACES}test_an_epanet_network_in_millimetres_is_refused_and_read_in_its_unit", "unit"),
    "units = ": ("tests/ingest/test_dxf_layers.py::test_a_drawing_in_other_units_is_scaled_to_metres_and_says_so", "units"),
    "anywhere = ": (ELSEWHERE, "anywhere"),
    "encoding = ": ("tests/ingest/test_vector.py::test_a_mapping_can_name_the_encoding_of_texts", "encoding"),
    "section = ": (WORDS_ADDED, "section"),
}  # fmt: skip
"""What messages tell people to write, with the test (or fixture) that does it and a word of it in that test."""


def remedies(text: str) -> set[str]:
    """Return the options, verbs and keys of files that a message tells people to write."""
    verbs = {f"twin {word}" for call in CALL.findall(text) for word in _words(call)[:1]}
    return {*OPTION.findall(text), *verbs, *KEYS.findall(text)}


def _words(call: str) -> list[str]:
    """Return the words of a call behind `twin`, without the town."""
    words = [word.rstrip(".,;:)") for word in call.split()]
    return words[2:] if words[:1] == ["--town"] else words


def told() -> Iterator[tuple[str, str]]:
    for lang in LANGUAGES:
        for rule, text in messages(lang).items():
            if not rule.startswith(NAMING_AREAS):
                yield rule, text


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*prefix, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))


def options(command: click.Command) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}


@cache
def functions(file: str) -> dict[str, str]:
    text = (ROOT / file).read_text("utf-8")
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.walk(tree_of(ROOT / file))
        if isinstance(node, ast.FunctionDef)
    }


def test_every_verb_and_option_that_a_message_names_exists() -> None:
    """An option behind a verb is one of that verb."""
    cli = make_cli("en")
    verbs = dict(commands(cli))
    everywhere = options(cli).union(*(options(command) for command in verbs.values()))
    wrong = []
    for rule, text in told():
        wrong += [(rule, name) for name in OPTION.findall(text) if name not in everywhere]
        for call in CALL.findall(text):
            words = _words(call)
            if not words:
                continue
            command = verbs.get((words[0], *words[1:2])) or verbs.get((words[0],))
            known = options(command) if command is not None else set()
            wrong += [(rule, f"twin {' '.join(words)}")] if command is None else []
            wrong += [(rule, f"{words[0]} {name}") for name in OPTION.findall(call) if name not in known | options(cli)]

    assert wrong == []


def test_every_remedy_that_a_message_names_is_executed_by_a_test() -> None:
    named = {remedy for _, text in told() for remedy in remedies(text)}

    assert named - set(EXECUTED_BY) == set(), "write a test that does what the message says, and name it here"
    assert set(EXECUTED_BY) - named == set(), "no message names these"
    for remedy, (test, word) in EXECUTED_BY.items():
        file, name = test.split("::")
        assert name in functions(file), f"{remedy}: {test} is not there"
        assert word in functions(file)[name], f"{remedy}: {test} does not name {word}"


def pasted(command: str, folder: Path) -> list[str]:
    """Return the words that a shell makes of a pasted command, behind `twin`."""
    script = "twin() { printf '%s\\n' \"$@\"; }\n" + command
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=folder, check=True)
    return done.stdout.splitlines()


def commands_of(text: str) -> list[str]:
    """Return the commands of a message that end their line or their sentence in it."""
    calls = [part for line in text.splitlines() for part in re.split(r"(?=twin --town)", line)]
    return [call for call in calls if call.startswith("twin --town")]


def test_every_command_that_names_a_file_is_one_that_a_shell_takes_with_its_path_and_town(tmp_path: Path) -> None:
    name, path, town = "房屋 (2) $a'b.shp", "in/sp ace/房屋 (2) $a'b.shp", "my town"
    line = CommandLine(town, "ingest", {}, {name: path}.get)
    rules = [(rule, text) for rule, text in messages("en").items() if re.search(r"twin [a-z ]+\{source\}", text)]

    assert len(rules) > 8, rules
    for rule, text in rules:
        values = dict.fromkeys(FIELD.findall(text), "x") | {"source": name}
        for lang in LANGUAGES:
            with pasted_as(line):
                rendered = render(rule, lang, values)
            calls = [pasted(re.split(r"[，；。]|[.,;](?= |$)", each)[0], tmp_path) for each in commands_of(rendered)]
            assert calls and all(words[:2] == ["--town", town] for words in calls), (rule, lang, calls)
            assert any({path, name} & set(words) for words in calls), (rule, lang, calls)


def test_a_remedy_pasted_into_a_shell_works_for_a_path_with_a_space_and_a_parenthesis(tmp_path: Path) -> None:
    """The file states no CRS, is refused with a command, and that command looks at it or reads it."""
    (tmp_path / "sp ace").mkdir()
    lamps = gpd.GeoDataFrame({"编号": ["L1"]}, geometry=[shapely.Point(618_500, 3_886_000)])
    lamps.to_file(tmp_path / "sp ace" / "路灯 (2).gpkg", layer="路灯")
    run_twin("--town", "my town", "init", "--name", "试", "--crs", "EPSG:4548", folder=tmp_path)

    for verb, lang in (("check", "en"), ("ingest", "zh"), ("ingest", "en")):
        source = "sp ace" if lang == "zh" else "sp ace/路灯 (2).gpkg"
        refused = run_twin("--town", "my town", verb, source, folder=tmp_path, environment={"TWIN_LANG": lang})
        (command,) = commands_of(refused.stderr)
        words = pasted(command, tmp_path)

        done = run_twin(*words, folder=tmp_path)

        assert refused.returncode == 1 and words[2] == verb, refused.stderr
        assert done.returncode == 0 and "路灯 (2).gpkg" in done.stdout, done.stdout + done.stderr
