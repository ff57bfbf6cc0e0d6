"""The catalogue's table of a source layer, and what it gains when the source comes again."""

from twin_model.catalogue import layer_of
from twin_model.catalogue.layer_from_source import (
    AddedFields,
    SourceColumn,
    SourceDescription,
    added_fields,
    fields_of_columns,
    table_of_source,
)
from twin_model.layer import Layer


def described(*columns: SourceColumn, geometry: str = "MultiPolygon") -> SourceDescription:
    return SourceDescription("宗地", "zd.shp", geometry, columns)


def layer(*columns: SourceColumn) -> Layer:
    return layer_of(*table_of_source(described(*columns), taken=()))


def test_names_that_no_field_can_have_become_others_and_keep_their_titles() -> None:
    names = ["ID", "id", "Area", "AREA", "total length", "产权人 (2020)", "class", "", "面" * 40]

    fields = fields_of_columns([SourceColumn(name, "string") for name in names])

    assert list(fields)[:7] == ["ID_", "id__2", "Area", "AREA_2", "total_length", "产权人_2020", "class"]
    assert [column.name for column in fields.values()] == names
    assert all(len(name.encode()) <= 63 for name in fields)
    assert layer(*fields.values()).fields[5].title.zh == "产权人 (2020)"


def test_a_layer_is_called_by_its_names_and_searched_by_its_texts() -> None:
    own = layer(SourceColumn("备注", "string"), SourceColumn("编号", "integer"), SourceColumn("路名称", "string"))

    assert own.label == ("路名称", "编号") and own.searched == ("备注",)


def test_new_columns_are_added_whole_numbers_widened_and_contradictions_are_none() -> None:
    own = layer(SourceColumn("n", "integer"), SourceColumn("text", "string"), SourceColumn("day", "date"))

    added = added_fields(
        own, [SourceColumn("n", "number"), SourceColumn("text", "integer"), SourceColumn("N", "string")]
    )

    assert added is not None and {name: spec["type"] for name, spec in added.table.items()} == {
        "n": "number",
        "N_2": "string",
    }
    assert added.fields == {"n": "n", "text": "text"} and added.widened == {"n": "number"}
    assert added_fields(own, [SourceColumn("day", "string")]) is None
    assert added_fields(own, []) == AddedFields()


def test_where_types_differ_the_values_decide() -> None:
    own = layer(SourceColumn("n", "integer"), SourceColumn("登记日期", "date"))
    columns = [SourceColumn("n", "number"), SourceColumn("登记日", "string")]

    whole = added_fields(own, columns, lambda held, column: None)
    broken = added_fields(own, columns, lambda held, column: 1.5 if held.name == "n" else "无")

    assert whole == AddedFields({}, {"n": "n", "登记日": "登记日期"})
    assert broken is not None and broken.widened == {"n": 1.5}
    assert set(broken.table) == {"n", "登记日"}, "a cut name whose values do not fit is another column"
