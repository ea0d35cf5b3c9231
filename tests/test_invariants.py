"""What is asserted of every run: that nothing which a terminal could act on slips through."""

import pytest

from tests.conftest import KEY, Outcome, Program, require_invariants


def after(stderr: str, stdout: bytes = b"") -> Outcome:
    """Return what a run left behind that said `stderr`."""
    return Outcome(exit_code=0, stdout_bytes=stdout, stderr=stderr)


@pytest.mark.parametrize(
    "stderr",
    [
        "saved fox.png\n",
        "\x1b[31merror:\x1b[0m no\n\x1b[?25h",
        "\x1b[38;2;1;22;255;48;2;0;0;0m#\x1b[38;5;16;48;5;231m#\x1b[0m\n",
        "\n\n\x1b[2A\x1b7\x1b_Ga=T,f=100,m=1;iVBO\x1b\\\x1b_Gm=0;Rw0=\x1b\\\x1b8\n",
    ],
)
def test_the_programs_own_colours_are_no_control_characters(stderr: str) -> None:
    """Labels, pictures, and the cursor that is shown again."""
    require_invariants(after(stderr))


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J",
        "\x1b[31;5mred",
        "\x1b[35m",
        "\x1b[?25l",
        "\x1b]0;owned\x07",
        "\x1b_Ga=T;AAAA\x1b\\",
        "\x1b[2A",
        "\x9b2J",
        "\x7f",
        "\r",
        "\x00",
    ],
)
@pytest.mark.parametrize("label", ["error:", "\x1b[31merror:\x1b[0m"])
def test_anothers_control_characters_are_noticed(label: str, hostile: str) -> None:
    """In a coloured run as in a plain one."""
    with pytest.raises(AssertionError):
        require_invariants(after(f"{label} no model {hostile}\n"))


@pytest.mark.parametrize("text", ["Traceback (most recent call last)", f"the key is {KEY}"])
def test_a_traceback_or_the_key_is_noticed(text: str) -> None:
    """On either stream."""
    for outcome in (after(text), after("", text.encode())):
        with pytest.raises(AssertionError):
            require_invariants(outcome)


def test_a_run_ends_with_a_test_that_fails(program: Program) -> None:
    """Else a program that waits for its test would hold all the other tests up."""
    with pytest.raises(LookupError), program.start("sandbox") as run:
        raise LookupError

    assert run.returncode is not None
