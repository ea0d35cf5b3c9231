"""`nscale images generate`: from the command line to files, streams and exit codes."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import Sandbox
from tests.conftest import KEY, Cli, ScriptedServer, Stream, images_reply


def body_of(server: Sandbox) -> dict[str, object]:
    """Return the body of the one request for images that the server received."""
    (request,) = [request for request in server.requests if request.method == "POST"]
    return json.loads(request.body)


# Where the prompt comes from


def test_a_dash_reads_the_prompt_from_stdin(against: Cli, sandbox: Sandbox) -> None:
    """The line end that echo adds is not part of the prompt."""
    outcome = against(sandbox, "-", stdin=b"A red fox\n")

    assert outcome.exit_code == 0
    assert body_of(sandbox)["prompt"] == "A red fox"


def test_a_piped_prompt_needs_no_dash(against: Cli, sandbox: Sandbox) -> None:
    """`echo fox | nscale images generate` works."""
    against(sandbox, stdin=b"A red fox\nin snow\n")

    assert body_of(sandbox)["prompt"] == "A red fox\nin snow"


def test_an_argument_wins_over_a_pipe(against: Cli, sandbox: Sandbox) -> None:
    """In CI stdin is often a pipe that nobody means."""
    against(sandbox, "A dog", stdin=b"A red fox\n")

    assert body_of(sandbox)["prompt"] == "A dog"


def test_a_file_holds_the_prompt(against: Cli, sandbox: Sandbox, tmp_path: Path) -> None:
    """A mark that some editors put first is not part of the prompt."""
    (tmp_path / "prompt.txt").write_bytes(b"\xef\xbb\xbfA red fox\r\n")

    against(sandbox, "--prompt-file", "prompt.txt")

    assert body_of(sandbox)["prompt"] == "A red fox"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], None, "there is no prompt"),
        ([], b"", "the prompt is empty"),
        (["  "], None, "the prompt is empty"),
        (["-"], b"\xff\xfe\xff", "the prompt in standard input is not UTF-8 text"),
        (["a", "--prompt-file", "b"], None, "PROMPT and --prompt-file exclude each other"),
        (["--prompt-file", "missing.txt"], None, "missing.txt cannot be read"),
        (["-", "-a", "-"], b"x", "-a - and the prompt would both be read from standard input"),
        (["a\udcff"], None, "the prompt or the model id is not valid UTF-8 text"),
        (["x", "-z", "512"], None, "'512' is not a size"),
        (["x", "-z", "0x0"], None, "'0x0' is not a size"),
        (["x", "-n", "0"], None, "the number of images must be 1 or more"),
        (["x", "-m", " "], None, "the model id is empty"),
        (["x", "--param", "seed"], None, "--param 'seed' is not KEY=VALUE"),
        (["x", "--param", "n=3"], None, "--param cannot set 'n'"),
        (["x", "--param", "stream=true"], None, "--param cannot set 'stream'"),
        (["x", "--timeout", "0"], None, "--timeout must be more than 0"),
        (["x", "--retry", "-1"], None, "--retry must be 0 or more"),
        (["x", "-o", "cat.gif"], None, "-o asks for .gif, which nscale cannot write"),
        (["x", "-o", "{nope}.png"], None, "-o has an unknown field {nope}"),
        (["x", "-o", "{slug.png"], None, "-o has an unmatched brace"),
        (["x", "-o", "x" * 300 + ".png"], None, "the file name is too long"),
        (["x", "-o", "-", "-n", "2"], None, "-o - takes one image only"),
        (["x", "-o", "-", "-p"], None, "-o - saves no file that -x or -p could show"),
        (["x", "-p", "-q"], None, "-p draws on stderr, which -q silences"),
        (["x", "--bogus"], None, "no such option: --bogus"),
        (["x", "y"], None, "the prompt is one argument, and 2 were given"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_one_line_before_sending(
    against: Cli, sandbox: Sandbox, arguments: list[str], stdin: bytes | None, message: str
) -> None:
    """Exit code 2, a hint where there is one, and no request."""
    outcome = against(sandbox, *arguments, stdin=stdin)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"error: {message}")
    assert outcome.stdout == ""
    assert sandbox.requests == []


def test_raw_bytes_and_a_document_cannot_share_stdout(generate: Cli) -> None:
    """The refusal is itself a document, as --json promises."""
    outcome = generate("cat", "-o", "-", "--json")

    assert outcome.exit_code == 2
    (error,) = outcome.document["errors"]
    assert error["message"] == "-o - and --json both write to stdout"


# What is sent


def test_further_fields_are_sent_as_json_where_they_read_as_json(
    against: Cli, sandbox: Sandbox
) -> None:
    """Numbers stay numbers; words need no quotes."""
    params = ["seed=42", "quality=high", 'style={"a": [1]}', "note=a=b", "empty="]

    against(sandbox, "x", "-n", "2", *[word for pair in params for word in ("--param", pair)])

    body = body_of(sandbox)
    assert {name: body[name] for name in ("seed", "quality", "style", "note", "empty", "n")} == {
        "seed": 42,
        "quality": "high",
        "style": {"a": [1]},
        "note": "a=b",
        "empty": "",
        "n": 2,
    }


def test_settings_come_from_the_environment(cli: Cli, sandbox: Sandbox) -> None:
    """A variable is read where its flag is not given."""
    env = {
        "NSCALE_SERVICE_TOKEN": KEY,
        "NSCALE_API_KEY": "the-older-kind",
        "NSCALE_MODEL": "some/model",
        "NSCALE_SIZE": "64x32",
        "NSCALE_BASE_URL": sandbox.base_url,
        "NSCALE_TIMEOUT": "30",
    }

    outcome = cli("images", "generate", "x", env=env)

    assert outcome.exit_code == 0
    assert body_of(sandbox) == {"model": "some/model", "prompt": "x", "size": "64x32", "n": 1}
    assert sandbox.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_flag_wins_over_its_variable(cli: Cli, sandbox: Sandbox) -> None:
    """The nearer wish counts."""
    env = {"NSCALE_API_KEY": "another-key", "NSCALE_MODEL": "a/b", "NSCALE_SIZE": "64x64"}

    cli("images", "generate", "x", "--base-url", sandbox.base_url, "-a", KEY, "-m", "c/d",
        "-z", "32x32", env=env)  # fmt: skip

    body = body_of(sandbox)
    assert (body["model"], body["size"]) == ("c/d", "32x32")
    assert sandbox.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("variable", ["NSCALE_SANDBOX"])
def test_the_sandbox_can_be_the_default(cli: Cli, variable: str) -> None:
    """NSCALE_SANDBOX=1 needs no key and no flag."""
    assert cli("images", "generate", "x", env={variable: "1"}).exit_code == 0


@pytest.mark.parametrize(
    ("env", "code", "message"),
    [
        ({"NSCALE_SANDBOX": "maybe"}, 2, "NSCALE_SANDBOX is 'maybe'"),
        ({"NSCALE_TIMEOUT": "soon"}, 2, "NSCALE_TIMEOUT is 'soon', not a number"),
        ({"NSCALE_TIMEOUT": "nan"}, 2, "NSCALE_TIMEOUT must be more than 0"),
        ({"NSCALE_SIZE": "big"}, 2, "NSCALE_SIZE: 'big' is not a size"),
        ({"NSCALE_BASE_URL": "ftp://x", "NSCALE_API_KEY": KEY}, 3, "the base URL 'ftp://x' is not"),
    ],
)
def test_a_wrong_variable_is_named(cli: Cli, env: dict[str, str], code: int, message: str) -> None:
    """The user sees where the value came from."""
    outcome = cli("images", "generate", "x", env=env)

    assert outcome.exit_code == code
    assert outcome.stderr.startswith(f"error: {message}")


# The key


@pytest.mark.parametrize("content", [f"{KEY}\n", f"{KEY}\r\n", f"\ufeff{KEY}", f"  {KEY}  "])
def test_a_key_file_may_end_in_any_way(
    cli: Cli, sandbox: Sandbox, tmp_path: Path, content: str
) -> None:
    """Line ends, marks and blanks around the key are not part of it."""
    (tmp_path / "key").write_text(content, encoding="utf-8", newline="")

    outcome = cli(
        "images", "generate", "x", "--base-url", sandbox.base_url, "--api-key-file", "key"
    )

    assert outcome.exit_code == 0
    assert sandbox.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_dash_reads_the_key_from_stdin(cli: Cli, sandbox: Sandbox) -> None:
    """A key on stdin is in no process list."""
    cli("images", "generate", "x", "--base-url", sandbox.base_url, "-a", "-", stdin=KEY.encode())

    assert sandbox.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        ([], {}, "no API key"),
        (["-a", ""], {}, "-a was given no key"),
        (["-a", "-m", "some/model"], {}, "-a was given no key"),
        (["-a", "two\nlines"], {}, "the API key from -a holds a character that no key has"),
        ([], {"NSCALE_API_KEY": "smart“quotes”"}, "the API key from NSCALE_API_KEY holds a"),
        (["-a", "k" * 10_000], {}, "the API key from -a is too long to be one"),
        (["--api-key-file", "missing"], {}, "missing cannot be read"),
    ],
)
def test_a_missing_or_malformed_key_is_refused_before_sending(
    cli: Cli, arguments: list[str], env: dict[str, str], message: str
) -> None:
    """Exit code 4; the message never repeats the key."""
    outcome = cli("images", "generate", "x", *arguments, env=env)

    assert outcome.exit_code == 4
    assert outcome.stderr.startswith(f"error: {message}")
    assert "two" not in outcome.stderr
    assert "quotes”" not in outcome.stderr


# Where it is saved


def test_a_name_is_never_taken_twice(generate: Cli, tmp_path: Path) -> None:
    """The second image of a prompt gets a number; the first stays as it is."""
    first = generate("A cat!").stdout
    before = Path(first.strip()).read_bytes()

    assert generate("A cat!").stdout == f"{tmp_path}/a-cat-2.png\n"
    assert Path(first.strip()).read_bytes() == before


def test_a_named_file_is_refused_if_it_exists_before_anything_is_sent(
    against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The image that would have no place is not bought."""
    (tmp_path / "x.png").write_bytes(b"precious")

    outcome = against(sandbox, "cat", "-o", "x.png")

    assert outcome.exit_code == 2
    assert outcome.stderr == (
        f"error: {tmp_path}/x.png exists; nothing was sent\n"
        "hint: choose another name, or replace it with --force\n"
    )
    assert sandbox.requests == []
    assert (tmp_path / "x.png").read_bytes() == b"precious"


def test_force_replaces_a_named_file(generate: Cli, tmp_path: Path) -> None:
    """And only that: no other file appears."""
    (tmp_path / "x.png").write_bytes(b"old")

    assert generate("cat", "-o", "x.png", "--force").exit_code == 0

    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_several_images_share_a_named_file_by_number(generate: Cli, tmp_path: Path) -> None:
    """-o FILE with -n 3 gives FILE-1, FILE-2 and FILE-3."""
    outcome = generate("cat", "-n", "3", "-o", "out/x.png")

    assert outcome.stdout.splitlines() == [f"{tmp_path}/out/x-{n}.png" for n in (1, 2, 3)]


def test_a_folder_is_made_and_takes_names_from_the_prompt(generate: Cli, tmp_path: Path) -> None:
    """A trailing slash says folder, also where none is yet."""
    assert generate("A cat", "-o", "a/b/").stdout == f"{tmp_path}/a/b/a-cat.png\n"
    assert generate("A dog", "-o", "a/b").stdout == f"{tmp_path}/a/b/a-dog.png\n"


def test_a_template_names_each_image(generate: Cli, tmp_path: Path) -> None:
    """Every field of the contract can be used; none can leave the folder."""
    outcome = generate(
        "A cat", "-n", "2", "-m", "../evil/model", "-z", "64x32",
        "-o", "{model}/{slug}-{size}-{index}.{ext}",
    )  # fmt: skip

    assert outcome.stdout.splitlines() == [
        f"{tmp_path}/evil-model-d88d7373/a-cat-64x32-{index}.png" for index in (1, 2)
    ]


def test_a_template_may_hold_date_time_and_hash(generate: Cli, tmp_path: Path) -> None:
    """The hash is the beginning of the file's SHA-256, as in the JSON document."""
    outcome = generate("A cat", "-o", "{date}_{time}_{hash}.{ext}", "--json")

    (image,) = outcome.document["data"]["images"]
    date, time, rest = Path(image["path"]).name.split("_")
    assert len(date) == 10
    assert len(time) == 6
    assert rest == f"{image['sha256'][:8]}.png"


@pytest.mark.parametrize(
    ("model", "name", "image_format"),
    [
        ("jpeg", "cat.jpg", "JPEG"),
        ("webp", "cat.webp", "WEBP"),
        ("plain", "cat.png", "PNG"),
    ],
)
def test_our_own_name_takes_the_extension_of_the_bytes(
    generate: Cli, tmp_path: Path, model: str, name: str, image_format: str
) -> None:
    """The bytes are looked at, never a label."""
    generate("cat", "-m", f"sandbox/{model}")

    with Image.open(tmp_path / name) as picture:
        assert picture.format == image_format


@pytest.mark.parametrize("model", ["jpeg", "webp", "plain"])
@pytest.mark.parametrize(("suffix", "asked"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_named_file_has_the_format_of_its_name(
    generate: Cli, tmp_path: Path, model: str, suffix: str, asked: str
) -> None:
    """Pillow converts where the service sent another format, and leaves nothing else behind."""
    outcome = generate("cat", "-m", f"sandbox/{model}", "-o", f"x.{suffix}")

    assert outcome.exit_code == 0
    with Image.open(tmp_path / f"x.{suffix}") as picture:
        picture.load()
        assert picture.format == asked
    assert [path.name for path in tmp_path.iterdir()] == [f"x.{suffix}"]


def test_conversion_to_png_keeps_every_pixel(
    against: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """A lossless target loses nothing of what was paid for."""
    source = Image.effect_noise((40, 30), 80).convert("RGB")
    data = io.BytesIO()
    source.save(data, "webp", lossless=True)
    server.answers = [images_reply({"b64_json": base64_text(data.getvalue())})]

    against(server, "cat", "-o", "x.png")

    with Image.open(tmp_path / "x.png") as picture:
        assert picture.convert("RGB").tobytes() == source.tobytes()


def test_what_cannot_be_converted_is_saved_as_it_came(
    against: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """A broken JPEG is still what was paid for."""
    broken = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02not really a JPEG\xff\xd9"
    server.answers = [images_reply({"b64_json": base64_text(broken)})]

    outcome = against(server, "cat", "-o", "x.png")

    assert outcome.exit_code == 22
    assert outcome.stdout == f"{tmp_path}/x.jpg\n"
    assert (tmp_path / "x.jpg").read_bytes() == broken
    assert "image 1: it could not be converted" in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.jpg"]


def test_the_bytes_of_the_server_are_saved_unchanged(
    against: Cli, server: ScriptedServer, tmp_path: Path
) -> None:
    """Not one byte is touched where the format is right."""
    odd = b"\x00\x00\x01\x00oddX" + bytes(range(256)) + b"\r\n\r\n"
    data = b"\x89PNG\r\n\x1a\n" + odd + b"\x00\x00\x00\x00IEND\n\n\n\n"
    server.answers = [images_reply({"b64_json": base64_text(data)})]

    against(server, "cat", "-o", "x.png")

    assert (tmp_path / "x.png").read_bytes() == data


# stdout and stderr


def test_raw_bytes_go_to_stdout_alone(generate: Cli, tmp_path: Path) -> None:
    """-o - is the image and nothing but the image; no file is made."""
    outcome = generate("cat", "-o", "-")

    assert outcome.exit_code == 0
    with Image.open(io.BytesIO(outcome.stdout_bytes)) as picture:
        picture.load()
    assert outcome.stdout_bytes.endswith(b"IEND\xaeB`\x82")
    assert list(tmp_path.iterdir()) == []


def test_raw_bytes_are_refused_at_a_terminal(against: Cli, sandbox: Sandbox) -> None:
    """Nobody wants a PNG on the screen, least of all a paid one."""
    outcome = against(sandbox, "cat", "-o", "-", stdout_is_tty=True)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("error: -o - would write image bytes to the terminal")
    assert sandbox.requests == []


def test_raw_bytes_that_nobody_takes_are_rescued(generate: Cli, tmp_path: Path) -> None:
    """The image was paid for: it is saved where a person can find it."""

    class Closed(Stream):
        @property
        def buffer(self) -> io.BufferedWriter:
            raise BrokenPipeError(32, "Broken pipe")

        content = b""

    outcome = generate("cat", "-o", "-", stdout=Closed())

    rescued = tmp_path / "home/.local/state/nscale/rescued/cat.png"
    assert outcome.exit_code == 20
    assert f"the image is at {rescued}" in outcome.stderr
    assert rescued.read_bytes().startswith(b"\x89PNG")


def test_quiet_leaves_only_the_path(generate: Cli) -> None:
    """-q writes nothing to stderr but errors."""
    outcome = generate("cat", "-q")

    assert outcome.stderr == ""
    assert outcome.stdout.endswith("/cat.png\n")


def test_debug_says_what_happens_but_no_key_and_no_image(against: Cli, sandbox: Sandbox) -> None:
    """The key and base64 are in no line."""
    outcome = against(sandbox, "cat", "--debug")

    assert "debug: sending the request" in outcome.stderr
    assert "debug: received" in outcome.stderr
    assert max(map(len, outcome.stderr.splitlines())) < 300


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_off_a_terminal_has_to_be_forced(
    generate: Cli, env: dict[str, str], coloured: bool
) -> None:
    """NO_COLOR wins over FORCE_COLOR."""
    outcome = generate("cat", "-m", "sandbox/refused", env=env)

    assert ("\x1b[31merror:\x1b[0m" in outcome.stderr) is coloured
    assert ("\x1b" in outcome.stderr) is coloured


def test_a_preview_off_a_terminal_is_plain_ascii(generate: Cli) -> None:
    """80 columns wide, or as wide as COLUMNS says; no escape byte."""
    default = generate("cat", "-p").stderr.splitlines()[1:]
    narrow = generate("cat", "-p", env={"COLUMNS": "30"}).stderr.splitlines()[1:]

    assert max(map(len, narrow)) == 30
    assert 30 < max(map(len, default)) <= 80
    assert all(line.isascii() for line in default)


def test_a_preview_that_fails_is_a_warning(against: Cli, server: ScriptedServer) -> None:
    """The image is saved, so the command succeeded."""
    data = b"\x89PNG\r\n\x1a\n" + bytes(96) + b"\x00\x00\x00\x00IEND" + bytes(4)
    server.answers = [images_reply({"b64_json": base64_text(data)})]

    outcome = against(server, "cat", "-p")

    assert outcome.exit_code == 0
    assert "warning: no preview of cat.png: it cannot be decoded" in outcome.stderr


# Dry run


def test_a_dry_run_asks_for_the_price_and_for_no_image(
    against: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It shows the request, the names and the price, and makes no folder."""
    outcome = against(sandbox, "A cat", "-n", "2", "-o", "new/", "--dry-run")

    assert outcome.exit_code == 0
    assert [request.method for request in sandbox.requests] == ["GET"]
    assert list(tmp_path.iterdir()) == []
    lines = outcome.stdout.splitlines()
    assert lines[0] == f"POST {sandbox.base_url}/images/generations"
    assert lines[1] == "Authorization: Bearer [hidden, from -a]"
    assert json.loads("\n".join(lines[2:-3])) == {
        "model": "black-forest-labs/FLUX.1-schnell",
        "prompt": "A cat",
        "size": "512x512",
        "n": 2,
    }
    assert lines[-3:] == [
        f"would save {tmp_path}/new/a-cat.png",
        f"would save {tmp_path}/new/a-cat-2.png",
        "price: about $0.000682, from the price list of 127.0.0.1",
    ]


def test_a_dry_run_names_the_free_name(generate: Cli, tmp_path: Path) -> None:
    """A name that is taken is not promised."""
    (tmp_path / "cat.png").touch()

    assert f"would save {tmp_path}/cat-2.png" in generate("cat", "--dry-run").stdout


def test_a_dry_run_says_why_a_price_is_unknown(generate: Cli) -> None:
    """A model that the list does not hold has no price."""
    outcome = generate("cat", "-m", "my/own", "--dry-run", "--json")

    assert outcome.document["data"]["cost_usd"] is None
    outcome = generate("cat", "-m", "my/own", "--dry-run")
    assert "price: unknown (the service does not list this model)" in outcome.stdout


def base64_text(data: bytes) -> str:
    """Return `data` as the API sends it."""
    import base64

    return base64.b64encode(data).decode()


def test_a_dry_run_prints_the_prompt_in_its_own_script(generate: Cli) -> None:
    """A person reads it."""
    outcome = generate("Füchslein 狐", "--dry-run")

    assert '"prompt": "Füchslein 狐"' in outcome.stdout


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["fox", "-z", "huge"], {"prompt": "fox", "size": "huge", "count": 1}),
        (["fox", "-m", "m", "-n", "0"], {"prompt": "fox", "model": "m", "count": 0}),
        (["fox", "-m", "m", "--timeout", "soon"], {"model": "m"}),
    ],
)
def test_a_usage_error_keeps_what_was_asked_for(
    generate: Cli, words: list[str], given: dict[str, object]
) -> None:
    """A script sees which of its requests it was."""
    data = generate(*words, "--json").document["data"]

    assert {name: data[name] for name in given} == given
    assert data["images"] == [] and data["cost_usd"] is None


@pytest.mark.parametrize(
    ("output", "name"), [("pictures/", "pictures/cat.png"), ("cat.png", "cat.png")]
)
def test_the_line_names_the_folder_where_it_is_another(
    generate: Cli, output: str, name: str
) -> None:
    """As a person would call the file from here."""
    outcome = generate("cat", "-z", "64x64", "-o", output)

    assert f"saved {name}  64x64" in outcome.stderr


def test_a_folder_elsewhere_is_named_whole(
    generate: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An absolute path leads there from anywhere."""
    folder = tmp_path_factory.mktemp("elsewhere")

    outcome = generate("cat", "-z", "64x64", "-o", f"{folder}/cat.png")

    assert f"saved {folder}/cat.png  64x64" in outcome.stderr


def test_an_order_that_may_not_fit_into_one_reply_is_warned_of(
    against: Cli, server: ScriptedServer
) -> None:
    """Before it is paid for."""
    server.answers = [Answer(status=400)]

    outcome = against(server, "cat", "-n", "200", "-z", "4096x4096")

    assert outcome.stderr.startswith("warning: the reply may be larger than the 2 GiB")
    assert "-n" in outcome.stderr.splitlines()[0]
    assert "may be larger" not in against(server, "cat", "-n", "8", "-z", "2048x2048").stderr
