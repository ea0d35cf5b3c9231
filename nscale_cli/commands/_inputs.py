"""Where the prompt, the key and the extra fields of a request come from."""

import json
from collections.abc import Sequence

from nscale_cli.commands.options.output import RecordOptions, ShowOptions
from nscale_cli.commands.options.request import PromptOptions
from nscale_cli.config.settings import Settings
from nscale_cli.config.table import SETTINGS
from nscale_cli.connection import ApiKey
from nscale_cli.credentials.lookup import find_key
from nscale_cli.errors import AuthenticationError, UsageError
from nscale_cli.preview.styles import PreviewOptions
from nscale_cli.redact import excerpt
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.names import disk_path
from nscale_cli.terminal.streams import Terminal

MAX_PROMPT_BYTES = 4 * 1024 * 1024
MAX_KEY_BYTES = 16 * 1024
# For what comes through a pipe, as from <(...): long enough for a person to type a password there.
MAX_WAIT_SECONDS = 60.0


def require_one_reader(words: PromptOptions, key: str | None) -> None:
    """Raise UsageError where both the prompt and the key would be read from standard input."""
    given = words.prompt or words.prompt_file
    if key == "-" and (given is None or "-" in (words.prompt, words.prompt_file)):
        raise UsageError(
            "-a - and the prompt would both be read from standard input",
            hint="give the prompt as an argument, or the key with --api-key-file",
        )


def read_prompt(words: PromptOptions, terminal: Terminal) -> str:
    """Return the prompt from the argument, the file, or standard input; raise UsageError."""
    argument, file = words.prompt, words.prompt_file
    if argument is not None and file is not None:
        raise UsageError("PROMPT and --prompt-file exclude each other", hint="give one of them")
    if file is not None and file != "-":
        return _text(_read_file(file, MAX_PROMPT_BYTES), file)
    if argument not in (None, "-"):
        return str(argument)
    if argument is None and file is None and terminal.stdin_is_tty:
        raise UsageError(
            "there is no prompt", hint='say what to draw: nscale images generate "A red fox"'
        )
    return _text(terminal.read_input(MAX_PROMPT_BYTES), "standard input")


def read_key(
    option: str | None,
    key_file: str | None,
    terminal: Terminal,
    *,
    settings: Settings,
    base_url: str,
) -> ApiKey:
    """Return the key from `-a`, `--api-key-file`, a variable, or the store.

    Raises AuthenticationError.
    """
    if option is not None and key_file is not None:
        raise UsageError("-a and --api-key-file exclude each other", hint="give one of them")
    if option == "-":
        return read_key_of_input(terminal)
    if option is not None:
        return ApiKey(value=option.strip(), source="-a")
    if key_file is not None:
        try:
            return _key_in(_read_file(key_file, MAX_KEY_BYTES), key_file)
        except UsageError as error:
            raise AuthenticationError(error.message) from None
    return find_key(terminal.env, settings, base_url)


def read_preview_options(how: ShowOptions, settings: Settings) -> PreviewOptions:
    """Return how previews are to be drawn; raise UsageError for a style or width that is none."""
    if how.preview_width is not None and how.preview_width < 1:
        raise UsageError("--preview-width must be 1 or more")
    style = settings.preview_style
    if how.preview_style is not None:
        style = how.preview_style
        SETTINGS["preview_style"].check(style, "--preview-style")
    return PreviewOptions(style=style, width=how.preview_width)


def read_metadata_mode(record: RecordOptions, settings: Settings) -> str:
    """Return what images are to say of their making; raise UsageError for what is no mode."""
    if record.metadata is None:
        return settings.metadata
    SETTINGS["metadata"].check(record.metadata, "--metadata")
    return record.metadata


def read_params(pairs: Sequence[str], settings: Settings) -> dict[str, object]:
    """Return the fields that `--param KEY=VALUE` and the profile add to the request.

    Raises UsageError for a pair without `=`.
    """
    params: dict[str, object] = {}
    if settings.response_format:
        params["response_format"] = settings.response_format
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise UsageError(
                f"--param {pair[:40]!r} is not KEY=VALUE", hint="such as --param seed=42"
            )
        params[name] = _json_or_text(value)
    return params


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value, parse_constant=lambda constant: constant)
    except (ValueError, RecursionError):
        return value


def read_key_of_input(terminal: Terminal) -> ApiKey:
    """Return the key from standard input; raise AuthenticationError."""
    return _key_in(terminal.read_input(MAX_KEY_BYTES), "standard input")


def _key_in(data: bytes, source: str) -> ApiKey:
    if len(data) > MAX_KEY_BYTES:
        raise AuthenticationError(f"the API key in {excerpt(source)} is too long to be one")
    text = data.decode("utf-8-sig", "replace").strip()
    return ApiKey(value=text, source=source)


def _read_file(name: str, limit: int) -> bytes:
    try:
        return read_bounded(disk_path(name), limit, wait_seconds=MAX_WAIT_SECONDS)
    except OSError as error:
        raise UsageError(
            f"{excerpt(name)} cannot be read: {error.strerror}; nothing was sent"
        ) from None


def _text(data: bytes, source: str) -> str:
    if len(data) > MAX_PROMPT_BYTES:
        raise UsageError(f"the prompt in {source} is larger than 4 MiB; nothing was sent")
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(
            f"the prompt in {source} is not UTF-8 text; nothing was sent", hint="save it as UTF-8"
        ) from None
