"""What a setting did, said honestly."""

from dataclasses import replace
from random import Random

from nscale_cli.output.report.audit import Effect, drifts, effects, other_sizes
from nscale_cli.output.report.cells import Run
from tests.output.report.runs import MODELS, TIMEOUT, changed, make_run, with_size


def hashes_by(run: Run, axis: str, per_sample: int = 0) -> dict[str, int]:
    """Return hashes that each value of an axis shifts by 16 bits, and each sample by some."""
    place = [axis.name for axis in run.axes].index(axis)
    return {
        cell.row: (0xFFFF << (16 * cell.at[place])) ^ (((1 << per_sample) - 1) * cell.at[-1])
        for cell in run.cells
    }


def same_bytes(run: Run) -> Run:
    """Return the run with one picture in every cell."""
    image = run.cells[0].image
    return replace(run, cells=tuple(replace(cell, image=image) for cell in run.cells))


def said(run: Run, hashes: dict[str, int]) -> list[str]:
    """Return the sentences."""
    return [str(effect) for effect in effects(run, hashes)]


SEEDS = make_run(models=MODELS[:1], fields={"seed": "123"})


def test_a_field_that_changes_the_picture_is_told_from_one_that_does_not() -> None:
    """By the distance of the pictures, in bits, at each model."""
    run = make_run(models=MODELS[:2], fields={"seed": "12"})
    hashes = hashes_by(run, "seed")
    for cell in run.cells:
        if cell.at[0] == 1:
            hashes[cell.row] = cell.at[2]  # one bit

    assert said(run, hashes) == [
        f"seed: changes the picture at {MODELS[0]} "
        "(32 of 64 bits apart; -n 2 would tell that from chance)",
        f"seed: no visible effect at {MODELS[1]} (1 of 64 bits apart)",
    ]


def test_identical_bytes_are_called_that() -> None:
    """The plainest sign that a server ignores a field."""
    run = same_bytes(SEEDS)

    assert said(run, dict.fromkeys((c.row for c in run.cells), 7)) == [
        f"seed: no visible effect at {MODELS[0]} (identical bytes)"
    ]


def test_metadata_in_the_files_do_not_hide_that_the_bytes_were_the_same() -> None:
    """They name the field that was asked for, and so each file is another."""
    cells = tuple(
        replace(cell, image=replace(cell.image, original_sha256="ab"))  # type: ignore[type-var]
        for cell in SEEDS.cells
    )
    run = replace(SEEDS, cells=cells)
    hashes = dict.fromkeys((cell.row for cell in cells), 7)
    then = replace(SEEDS, cells=same_bytes(run).cells)

    assert said(run, hashes) == [f"seed: no visible effect at {MODELS[0]} (identical bytes)"]
    assert all(drift.identical for drift in drifts(then, run, hashes, hashes))


def test_repeats_say_how_much_is_chance() -> None:
    """Where pictures of one value lie as far apart as those of two, the field did nothing."""
    run = make_run(models=MODELS[:1], fields={"seed": "12"}, samples=2)
    chance = {cell.row: Random(n).getrandbits(64) for n, cell in enumerate(run.cells)}

    (effect,) = effects(run, chance)
    assert not effect.is_visible and effect.repeats is not None and effect.repeats > 20
    (effect,) = effects(run, hashes_by(run, "seed", per_sample=3))
    assert effect.is_visible and effect.repeats == 3
    assert str(effect).endswith(f"({effect.bits:g} of 64 bits apart, repeats 3)")


def test_the_other_axes_do_not_blur_an_effect() -> None:
    """Only pictures that differ in nothing else are compared."""
    run = make_run(models=MODELS[:1], fields={"seed": "12"}, prompts=("a", "b"))
    by_prompt = {cell.row: 0xFFFFFFFF << (32 * cell.at[3]) for cell in run.cells}

    (effect,) = effects(run, by_prompt)
    assert effect.bits == 0


def test_a_field_without_two_pictures_to_compare_is_not_spoken_of() -> None:
    """Where all but one failed, nothing is known."""
    run = changed(SEEDS, {0: TIMEOUT, 1: TIMEOUT})

    assert said(run, hashes_by(run, "seed")) == []


def test_a_size_is_spoken_of_only_where_it_did_nothing() -> None:
    """That another size is another picture goes without saying."""
    run = make_run(models=MODELS[:1], sizes=("64x64", "128x128"))

    assert said(run, hashes_by(run, "size")) == []
    assert said(same_bytes(run), {cell.row: 1 for cell in run.cells}) == [
        f"size: no visible effect at {MODELS[0]} (identical bytes)"
    ]


def test_a_size_that_was_not_heeded_is_named() -> None:
    """With how often, at which model."""
    run = with_size(make_run(models=MODELS[:2], prompts=("a", "b")), 0, "1024x1024")
    run = with_size(run, 1, "1024x1024")

    assert [str(other) for other in other_sizes(run)] == [
        f"size: asked 512x512, came 1024x1024 at {MODELS[0]} (2 pictures)"
    ]
    assert list(other_sizes(make_run())) == []


def test_drift_lays_the_same_requests_side_by_side() -> None:
    """Whatever rows and order they had then."""
    then = make_run(models=MODELS[:2], prompts=("a", "b"))
    now = make_run(models=(MODELS[1], MODELS[2]), prompts=("b", "a"))
    old = {cell.row: 0 for cell in then.cells}
    new = {cell.row: 0b111 for cell in now.cells}
    found = list(drifts(then, now, old, new))

    assert [(d.then.at[0], d.now.at[0], d.bits, d.identical) for d in found] == [
        (1, 0, 3, False),
        (1, 0, 3, False),
    ]
    assert [d.now.at[2] for d in found] == [0, 1] and [d.then.at[2] for d in found] == [1, 0]


def test_the_same_bytes_have_not_drifted() -> None:
    """A picture that cannot be read has no distance, but it may be the same to the byte."""
    (one, _) = drifts(make_run(), make_run(), {}, {})

    assert one.identical and one.bits is None


def test_an_effect_says_nothing_of_where_if_there_is_one_model() -> None:
    """A name that is empty leaves no "at"."""
    effect = Effect(setting="seed", where="", identical=True, bits=0, repeats=None)

    assert str(effect) == "seed: no visible effect (identical bytes)"
