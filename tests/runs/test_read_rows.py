"""Files of prompts: what each format says, and every mistake with its place."""

import io
import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.errors import UsageError
from nscale_cli.request import Size
from nscale_cli.runs.read_rows import (
    MAX_LINE_BYTES,
    RowFormat,
    count_lines,
    format_of,
    open_rows,
    read_rows,
)
from nscale_cli.runs.rows import MistakeList, Row, RowDefaults, RowsRefused

DEFAULTS = RowDefaults(model="a/model", size=Size(width=512, height=512))


def read(data: str | bytes, row_format: RowFormat, defaults: RowDefaults = DEFAULTS) -> list[Row]:
    """Return the rows of `data`; raise RowsRefused for its mistakes."""
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    mistakes = MistakeList("rows")
    rows = list(read_rows(file, row_format, defaults, mistakes))
    mistakes.require_none()
    return rows


def complaints(data: str | bytes, row_format: RowFormat) -> list[str]:
    """Return the sentences about the mistakes in `data`."""
    with pytest.raises(RowsRefused) as caught:
        read(data, row_format)
    return list(caught.value.mistakes)


def test_each_line_of_text_that_is_not_blank_is_a_prompt() -> None:
    """There are no comments: a colour may begin with a number sign."""
    rows = read("\ufeffA red fox\r\n\n  \n#ff0000 sunset\n  two  spaces ", RowFormat.TXT)
    prompts = [(row.line, row.request.prompt) for row in rows]
    assert prompts == [(1, "A red fox"), (4, "#ff0000 sunset"), (5, "  two  spaces ")]
    assert {(row.request.model, str(row.request.size)) for row in rows} == {("a/model", "512x512")}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_told_by_its_header(delimiter: str, mark: str, end: str) -> None:
    """Spreadsheets of every country and system write what can be read."""
    lines = ["id prompt size n out param.seed mood", 'h1 "A fox" 64x32 2 hero.png 7 dark']
    data = mark + end.join(delimiter.join(line.split(" ")) for line in lines).replace(
        f'"A{delimiter}fox"', f'"A{delimiter} ""fox"""'
    )
    (row,) = read(data, RowFormat.CSV)
    assert (row.id, row.out, row.fields, row.line) == ("h1", "hero.png", {"mood": "dark"}, 2)
    assert row.request.prompt == f'A{delimiter} "fox"'
    assert row.request.body == {
        "model": "a/model",
        "prompt": row.request.prompt,
        "size": "64x32",
        "n": 2,
        "seed": 7,
    }


def test_empty_cells_take_the_default_and_empty_rows_are_passed_over() -> None:
    """A spreadsheet's last rows are often commas and nothing else."""
    rows = read("prompt,model,size,n\nfox,,,\n,,,\n\ncat,b,,3\n", RowFormat.CSV)
    assert [(row.line, row.request.model, row.request.count) for row in rows] == [
        (2, "a/model", 1),
        (5, "b", 3),
    ]


def test_a_cell_may_hold_line_breaks_and_its_row_keeps_its_first_line() -> None:
    """Lines are counted as an editor counts them."""
    rows = read('prompt,id\n"two\nlines",a\nfox,b\n', RowFormat.CSV)
    assert [(row.line, row.request.prompt, row.id) for row in rows] == [
        (2, "two\nlines", "a"),
        (4, "fox", "b"),
    ]


def test_json_lines_and_batch_lines_say_the_same() -> None:
    """A file made for OpenAI's Batch API can be used as it is."""
    own = {"id": "h", "prompt": "fox", "model": "b", "size": "8x8", "n": 2, "params": {"seed": 1}}
    body = {"prompt": "fox", "model": "b", "size": "8x8", "n": 2, "seed": 1}
    batch = {"custom_id": "h", "method": "POST", "url": "/v1/images/generations", "body": body}
    (one,), (other,) = (read(json.dumps(each), RowFormat.JSONL) for each in (own, batch))
    assert one == other
    assert one.request.body == body


def test_what_failed_is_input_again() -> None:
    """The reason that stands beside a row in failed.jsonl is not part of the row."""
    (row,) = read('{"prompt":"fox","error":{"code":"timeout"},"mood":"dark"}', RowFormat.JSONL)
    assert row.fields == {"mood": "dark"}


CSV_MISTAKES = {
    "prompt,modle\nfox,b\n": "rows, line 1: unknown column 'modle': did you mean 'model'?",
    "promt\nfox\n": "rows, line 1: unknown column 'promt': did you mean 'prompt'?",
    "Prompt\nfox\n": "rows, line 1: unknown column 'Prompt': did you mean 'prompt'?",
    "prompt,parm.seed\nfox,1\n": (
        "rows, line 1: unknown column 'parm.seed': did you mean 'param.seed'?"
    ),
    "prompt,prompt\na,b\n": "rows, line 1: the column 'prompt' is there twice",
    "prompt,\na,b\n": "rows, line 1, column 2: the column has no name",
    "text,mood\nfox,b\n": "rows, line 1: no column is called prompt; the columns are: text, mood",
    "prompt\na fox, red\n": (
        "rows, line 2, column 2: 2 cells, but the header has 1; "
        "put a cell that holds ',' in double quotes"
    ),
    'prompt\n"fox\n': "rows, line 2: it is not CSV: unexpected end of data",
    "prompt,size\nfox,big\n": "rows, line 2, column size: 'big' is not a size",
    "prompt,n\nfox,0\n": 'rows, line 2, column n: "0" is not a number of images, 1 or more',
    "prompt,n\nfox,²\n": 'rows, line 2, column n: "²" is not a number of images, 1 or more',
    "prompt,id\n,a\n": "rows, line 2: the prompt is empty",
    "prompt,param.model\nfox,b\n": "rows, line 2: --param cannot set 'model'",
    "prompt\n": "rows, line 1: there is no row in it",
    "": "rows, line 1: no column is called prompt; the columns are: none",
}


@pytest.mark.parametrize("data", CSV_MISTAKES)
def test_a_mistake_in_csv_is_named_with_its_place(data: str) -> None:
    """Nothing is sent until the file is right."""
    assert complaints(data, RowFormat.CSV) == [CSV_MISTAKES[data]]


JSON_MISTAKES = {
    '{"prompt":"fox" "n":2}': ("rows, line 1, column 17: it is not JSON: Expecting ',' delimiter"),
    "[1]": "rows, line 1: it is not a JSON object",
    "[" * 100_000: "rows, line 1: it is not JSON that can be read",
    '{"prompt":"fox","x":NaN}': "rows, line 1: it is not JSON that can be read",
    '{"prompt":"fox","param":{"seed":1}}': (
        "rows, line 1: unknown column 'param': did you mean 'params'?"
    ),
    '{"prompt":7}': "rows, line 1, column prompt: 7 is not text",
    '{"prompt":"fox","n":true}': (
        "rows, line 1, column n: true is not a number of images, 1 or more"
    ),
    '{"prompt":"fox","n":1.5}': "rows, line 1, column n: 1.5 is not a number of images, 1 or more",
    '{"prompt":"fox","mood":{"a":1}}': (
        'rows, line 1, column mood: {"a": 1} is neither text nor a number'
    ),
    '{"prompt":"fox","params":[1]}': "rows, line 1, column params: [1] is not an object",
    '{"prompt":"\\ud800"}': "rows, line 1: the prompt or the model id is not valid UTF-8 text",
    '{"prompt":"fox","id":"\\ud800"}': (
        "rows, line 1, column id: it holds half a character (a lone surrogate)"
    ),
    '{"prompt":"fox","params":{"a":"\\ud800"}}': (
        "rows, line 1: its extra fields hold a value that JSON cannot carry"
    ),
    '{"custom_id":"a","url":"/v1/chat/completions","body":{"prompt":"x"}}': (
        "rows, line 1, column url: it is not .../v1/images/generations: /v1/chat/completions"
    ),
    '{"body":[]}': "rows, line 1, column body: it is not an object",
}


@pytest.mark.parametrize("data", JSON_MISTAKES, ids=lambda data: data[:40])
def test_a_mistake_in_json_lines_is_named_with_its_place(data: str) -> None:
    """Nothing is sent until the file is right."""
    assert complaints(data, RowFormat.JSONL)[0] == JSON_MISTAKES[data]


def test_all_mistakes_come_at_once_and_twenty_are_shown() -> None:
    """A file is put right in one go, and a terminal is not flooded."""
    data = "prompt,size\n" + "fox,big\n" * 30
    with pytest.raises(RowsRefused) as caught:
        read(data, RowFormat.CSV)
    assert len(caught.value.mistakes) == 20
    assert caught.value.message == (
        "rows has 30 mistakes (the first 20 are shown); nothing was sent"
    )


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"fox\nf\xf6x\n", "rows, line 2, column 2: it is not UTF-8 text"),
        ("fox\n".encode("utf-16"), "rows, line 1: it is written in UTF-16; save it as UTF-8"),
        (b"x" * (MAX_LINE_BYTES + 1), "rows, line 1: the line is longer than 4 MiB"),
        (b" \n\n", "rows, line 1: there is no row in it"),
    ],
)
def test_text_that_cannot_be_read_is_named_with_its_place(data: bytes, complaint: str) -> None:
    """A wrong encoding must not become a prompt that is paid for."""
    assert complaints(data, RowFormat.TXT) == [complaint]


@pytest.mark.parametrize(
    ("name", "wanted", "row_format"),
    [
        ("a.txt", None, "txt"),
        ("a.CSV", None, "csv"),
        ("a.tsv", None, "csv"),
        ("a.jsonl", None, "jsonl"),
        ("a.ndjson", None, "jsonl"),
        ("a.txt", "csv", "csv"),
        ("-", "jsonl", "jsonl"),
    ],
)
def test_format_is_told_by_the_name_or_the_option(
    name: str, wanted: str | None, row_format: str
) -> None:
    """The option goes first."""
    assert format_of(name, wanted) == row_format


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("-", None, "what standard input holds cannot be told from its name"),
        ("a.xlsx", None, "what a.xlsx holds cannot be told from its name"),
        ("a.csv", "xml", "'xml' is not a format of rows"),
    ],
)
def test_format_is_never_guessed(name: str, wanted: str | None, message: str) -> None:
    """A line of JSON that is taken for a prompt would be paid for."""
    with pytest.raises(UsageError, match=message):
        format_of(name, wanted)


def test_a_pipe_can_be_read_more_than_once(tmp_path: Path) -> None:
    """Its lines are counted before its rows are read."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    threading.Thread(target=lambda: fifo.write_bytes(b"a\nb\nc"), daemon=True).start()
    with open_rows(str(fifo), None) as file:
        assert count_lines(file) == 3
        assert file.read() == b"a\nb\nc"
    with open_rows("-", io.BytesIO(b"a\n")) as file:
        assert (count_lines(file), file.read()) == (2, b"a\n")


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read_is_one_clear_line(name: str) -> None:
    """Before anything is sent."""
    with (
        pytest.raises(UsageError, match=r"cannot be read: .*; nothing was sent"),
        open_rows(name, None),
    ):
        pass


@given(st.binary(max_size=300), st.sampled_from(RowFormat))
def test_no_file_is_a_bug(data: bytes, row_format: RowFormat) -> None:
    """Whatever a file holds, it is rows or a list of mistakes."""
    with suppress(RowsRefused):
        read(data, row_format)


@given(st.text(st.sampled_from('{}[]":,;\tprompt\n\r\\"0é'), max_size=60))
def test_no_text_is_a_bug(text: str) -> None:
    """The same, nearer to what files look like."""
    for data, row_format in ((f"prompt{text}", RowFormat.CSV), (text, RowFormat.JSONL)):
        with suppress(RowsRefused):
            read(data, row_format)
