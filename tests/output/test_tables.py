"""Rows of cells as lines of text."""

from nscale_cli.output.tables import format_table


def test_columns_stand_below_each_other() -> None:
    """The last is not filled up."""
    assert format_table([("a", "bb", "c"), ("aaa", "b", "ccc")]) == ["a    bb  c", "aaa  b   ccc"]


def test_the_last_column_is_wrapped_where_there_is_a_limit() -> None:
    """Its further lines stand below its first."""
    assert format_table([("a", "one two three"), ("bb", "")], max_width=11) == [
        "a   one two",
        "    three",
        "bb",
    ]
