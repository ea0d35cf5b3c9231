"""What a resumed run does with each row."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from nscale_cli.request import SavedImage, Size
from nscale_cli.runs.plan import PlannedRow, RunDirectory
from nscale_cli.runs.resume import Action, LeftByCrash, ResumeOptions, decide
from nscale_cli.runs.states import RowHistory
from nscale_cli.sandbox.pictures import draw, encode
from tests.runs.rows import row

KEY = "9f2c1ab34d5e6f70#1"
NONE = ResumeOptions()


def planned(*, count: int = 1, **changes: object) -> PlannedRow:
    """Return the third row of a plan."""
    return PlannedRow(key=KEY, number=3, path="a.{ext}", row=row(count=count, **changes))


def picture(image_format: str = "png") -> bytes:
    """Return a small image."""
    return encode(draw(prompt="x", model="m", width=8, height=6, index=1), image_format)


def action(folder: Path, history: RowHistory, options: ResumeOptions = NONE) -> str:
    """Return what happens to the row."""
    return decide(planned(id="h"), history, options, RunDirectory(path=folder)).action


def test_saved_rows_are_kept_while_their_files_are_there(tmp_path: Path) -> None:
    """A file that is gone is listed, and bought again only where the user says so."""
    history = RowHistory(saved=True, images=[{"path": "sub/a.png"}])
    decision = decide(planned(), history, NONE, RunDirectory(path=tmp_path))
    assert decision.action is Action.LEAVE
    assert decision.why == f"saved, but {tmp_path}/sub/a.png is gone"
    assert decision.hint == "buy it again with --redo"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.png").write_bytes(b"")
    assert action(tmp_path, history) == Action.KEEP


@pytest.mark.parametrize(
    ("history", "plainly", "with_refused", "with_billed"),
    [
        (RowHistory(), "send", "send", "send"),
        (RowHistory(code="credit"), "send", "send", "send"),
        (RowHistory(code="rate_limited"), "send", "send", "send"),
        (RowHistory(code="refused"), "leave", "send", "leave"),
        (RowHistory(maybe=True, code="timeout"), "leave", "leave", "send_again"),
        (RowHistory(maybe=True, code="credit"), "leave", "leave", "send_again"),
        (RowHistory(open=True), "leave", "leave", "send_again"),
        (RowHistory(paid=True, code="incomplete"), "leave", "leave", "leave"),
        (RowHistory(saved=True, images=[{"path": "gone"}]), "leave", "leave", "leave"),
    ],
)
def test_only_what_certainly_was_not_billed_is_sent_by_itself(
    tmp_path: Path, history: RowHistory, plainly: str, with_refused: str, with_billed: str
) -> None:
    """The table of states, as it is promised."""
    assert action(tmp_path, history) == plainly
    assert action(tmp_path, history, ResumeOptions(retry_refused=True)) == with_refused
    assert action(tmp_path, history, ResumeOptions(retry_billed=True)) == with_billed
    for name in ("h", KEY, "3"):
        assert action(tmp_path, history, ResumeOptions(redo=frozenset({name}))) == "send"
    others = frozenset({"H", KEY[:-1], "03"})
    assert action(tmp_path, history, ResumeOptions(redo=others)) == plainly


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (
            RowHistory(code="refused", message="content policy"),
            "refused: content policy; send it again with --retry-refused",
        ),
        (
            RowHistory(maybe=True, message="late"),
            "may have been billed: late; look at your usage page, then --retry-billed or --redo",
        ),
        (
            RowHistory(open=True),
            "may have been billed: sent, and then the run was cut off; "
            "look at your usage page, then --retry-billed or --redo",
        ),
        (RowHistory(paid=True, message="short"), "paid for, but short; buy it again with --redo"),
    ],
)
def test_a_row_that_is_left_alone_says_why(tmp_path: Path, history: RowHistory, why: str) -> None:
    """And what to do next."""
    decision = decide(planned(), history, NONE, RunDirectory(path=tmp_path))
    assert f"{decision.why}; {decision.hint}" == why


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
def test_a_whole_image_that_a_crash_left_is_found(tmp_path: Path, image_format: str) -> None:
    """Whatever format the service chose."""
    data = picture(image_format)
    path = tmp_path / f"a.{'jpg' if image_format == 'jpeg' else image_format}"
    path.write_bytes(data)
    history = RowHistory(open=True, path="a.{ext}")
    assert LeftByCrash(RunDirectory(path=tmp_path)).images_of(planned(), history) == [
        SavedImage(
            path=path,
            format=image_format,
            size=Size(width=8, height=6),
            byte_count=len(data),
            sha256=sha256(data).hexdigest(),
        )
    ]


def test_of_several_images_those_that_are_there_are_found(tmp_path: Path) -> None:
    """The reply was being saved when the run was cut off."""
    (tmp_path / "a-2.png").write_bytes(picture())
    history = RowHistory(open=True, path="a-{index}.png")
    run = RunDirectory(path=tmp_path)
    assert [image.path for image in LeftByCrash(run).images_of(planned(count=3), history)] == [
        tmp_path / "a-2.png"
    ]


@pytest.mark.parametrize(
    "history",
    [
        RowHistory(path="a.png", code="credit"),
        RowHistory(saved=True, path="a.png"),
        RowHistory(open=True, path=""),
        RowHistory(open=True, path="{hash}.png"),
        RowHistory(open=True, path="b.png"),
        RowHistory(open=True, path="text.png"),
    ],
)
def test_nothing_else_is_taken_for_an_image_of_the_row(tmp_path: Path, history: RowHistory) -> None:
    """Only what stands under the very name that was reserved, and is an image."""
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "text.png").write_bytes(b"text")
    os.mkfifo(tmp_path / "b.png")  # which would be waited for
    assert LeftByCrash(RunDirectory(path=tmp_path)).images_of(planned(), history) == []


def test_a_whole_file_without_a_name_is_given_it_and_any_other_is_removed(tmp_path: Path) -> None:
    """The run was killed between the last byte and the name; nothing that was paid for is lost."""
    label = KEY.replace("#", "-")
    whole, cut = tmp_path / f".{label}.1.abc.part", tmp_path / f".{label}.2.def.part"
    other = tmp_path / ".0123456789abcdef-1.1.abc.part"
    whole.write_bytes(picture())
    cut.write_bytes(picture()[:-9])
    other.write_bytes(picture())
    history = RowHistory(open=True, path="a-{index}.{ext}")
    left = LeftByCrash(RunDirectory(path=tmp_path))
    assert [image.path for image in left.images_of(planned(count=2), history)] == [
        tmp_path / "a-1.png"
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"a-1.png", other.name}
    assert (tmp_path / "a-1.png").read_bytes() == picture()


def test_a_second_copy_of_an_image_is_removed(tmp_path: Path) -> None:
    """The run was killed between the name and the end of the temporary file."""
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / f".{KEY.replace('#', '-')}.1.abc.part").write_bytes(picture())
    history = RowHistory(open=True, path="a.{ext}")
    assert len(LeftByCrash(RunDirectory(path=tmp_path)).images_of(planned(), history)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_file_that_came_after_its_row_was_given_up_is_found(tmp_path: Path) -> None:
    """The time limit had passed, and the process ended before that could be written down."""
    (tmp_path / "a.png").write_bytes(picture())
    history = RowHistory(maybe=True, code="timeout", path="a.{ext}")
    assert len(LeftByCrash(RunDirectory(path=tmp_path)).images_of(planned(), history)) == 1
