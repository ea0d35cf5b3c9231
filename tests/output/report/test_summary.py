"""The run in figures."""

from dataclasses import replace

import pytest

from nscale_cli.output.report.summary import markdown, rows
from tests.output.report.runs import MODELS, REFUSED, TIMEOUT, changed, make_run, with_size


def test_each_model_and_size_has_a_line() -> None:
    """Saved of asked, median and worst seconds, true size, bytes, cost, failures by code."""
    run = changed(make_run(models=MODELS[:2], prompts="abcd"), {3: REFUSED, 5: TIMEOUT, 6: TIMEOUT})
    run = with_size(run, 1, "256x256")

    first = ("512x512", "3 of 4", "2.0 s", "3.0 s", "512x512, 256x256")
    second = ("512x512", "2 of 4", "6.5 s", "8.0 s", "512x512")
    assert rows(run) == [
        ("model", "size", "saved", "median", "worst", "true size", "bytes", "cost", "failed"),
        (MODELS[0], *first, "1 kB", "$0.003", "1 refused"),
        (MODELS[1], *second, "1 kB", "$0.002", "2 timeout"),
    ]


def test_an_unknown_cost_is_called_that() -> None:
    """And a model of which nothing came has no figures."""
    run = make_run(models=MODELS[:2])
    run = replace(run, cells=tuple(replace(cell, cost_usd=None) for cell in run.cells))
    run = changed(run, {1: TIMEOUT})

    assert rows(run)[1][-2:] == ("unknown", "")
    assert rows(run)[2][2:] == ("0 of 1", "", "", "", "", "", "1 timeout")


def test_the_markdown_table_is_what_github_shows() -> None:
    """Title, facts, table, notes."""
    run = make_run(models=["a/b-c", "d"], title="Foxes")

    assert markdown(run, ["seed: nothing"]) == (
        "## Foxes\n\n512x512 · A red fox · 2 saved · about \\$0.002\n\n"
        "| model | size | saved | median | worst | true size | bytes | cost | failed |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| a/b-c | 512x512 | 1 of 1 | 1.0 s | 1.0 s | 512x512 | 1 kB | \\$0.001 |  |\n"
        "| d | 512x512 | 1 of 1 | 2.0 s | 2.0 s | 512x512 | 1 kB | \\$0.001 |  |\n\n"
        "- seed: nothing\n"
    )


@pytest.mark.parametrize(
    "text", ["a|b", "<img src=x>", "[x](http://y)", "**b**", "`c`", "a\n\n# b", "@all", "![i](j)"]
)
def test_no_text_is_markup(text: str) -> None:
    """Prompts and ids are hostile: every sign that means something is escaped."""
    made = markdown(make_run(models=[text, "b"], title=text))
    signs = set("\\`*_{}[]<>()#!|~@&$^")
    bare = [
        made[n]
        for n in range(len(made))
        if made[n] in signs and made[n] != "\\" and made[n - 1] != "\\"
    ]

    assert made.count("\n## ") + made.startswith("## ") == 1
    assert set(bare) <= {"|", "#"} and made.count("#") - made.count("\\#") == 2
