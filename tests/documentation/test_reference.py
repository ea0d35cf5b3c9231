"""What a program can learn of the program: `help --json`, the schema, the page for agents."""

import json

import jsonschema
import pytest

from nscale_cli.config.table import KEY_VARIABLES, VARIABLES
from nscale_cli.errors import ExitCode
from nscale_cli.output.schema import data_schemas, document_schema
from tests.conftest import Cli
from tests.documentation.blocks import ROOT
from tests.documentation.test_help_examples import EXAMPLES


@pytest.fixture
def commands(cli: Cli) -> dict[str, dict[str, object]]:
    """Each command of `nscale help --json`."""
    data = cli("help", "--json").document["data"]
    return {each["command"]: each for each in data["commands"]}


@pytest.mark.slow
def test_every_command_is_there_with_its_help(cli: Cli, commands: dict[str, object]) -> None:
    """The same words as `--help` has, the same examples, the same options."""
    assert {f"nscale {name}" for name in commands} == set(EXAMPLES) - {"nscale"}
    for name, entry in commands.items():
        help_text = " ".join(cli("help", *name.split()).stdout.split())
        assert entry["examples"] == EXAMPLES[f"nscale {name}"]
        assert entry["summary"] in help_text
        for option in entry["options"]:
            assert ", ".join(option["flags"]) in help_text, name


def test_options_say_type_default_and_variable(commands: dict[str, dict[str, object]]) -> None:
    """As the tables have it."""
    options = {each["flags"][-1]: each for each in commands["images generate"]["options"]}

    assert options["--model"] == {
        "flags": ["-m", "--model"],
        "value": "ID",
        "type": "text",
        "default": "black-forest-labs/FLUX.1-schnell",
        "variables": ["NSCALE_MODEL"],
        "repeatable": False,
        "meaning": "The model that draws.",
    }
    assert options["--api-key"]["variables"] == list(KEY_VARIABLES)
    assert (options["--count"]["type"], options["--count"]["default"]) == ("integer", 1)
    assert (options["--timeout"]["type"], options["--timeout"]["default"]) == ("number", 300)
    assert (options["--retry"]["type"], options["--retry"]["default"]) == ("integer", 2)
    assert options["--param"]["repeatable"] is True
    assert (options["--force"]["type"], options["--force"]["value"]) == ("switch", None)
    assert not [each for each in options.values() if "[" in each["meaning"]]
    (prompt,) = commands["images generate"]["arguments"]
    assert (prompt["name"], prompt["required"]) == ("PROMPT", False)


def test_exit_codes_and_variables_are_all_there(cli: Cli) -> None:
    """With the words of their tables."""
    data = cli("help", "--json").document["data"]

    assert [each["code"] for each in data["exit_codes"]] == list(ExitCode)
    assert [each["name"] for each in data["variables"]] == ", ".join(VARIABLES).split(", ")


def test_one_command_can_be_asked_for(cli: Cli) -> None:
    """Its words before --json."""
    data = cli("help", "images", "generate", "--json").document["data"]

    assert [each["command"] for each in data["commands"]] == ["images generate"]


def test_every_command_with_json_has_its_fields(commands: dict[str, dict[str, object]]) -> None:
    """In the schema, and in its entry."""
    with_json = {name for name, each in commands.items() if each["json"]}

    assert set(data_schemas()) == with_json
    for name in with_json:
        assert commands[name]["data"] == data_schemas()[name]


@pytest.mark.slow
def test_the_schema_is_a_schema_and_is_published(cli: Cli) -> None:
    """By the program, and in the repository."""
    schema = document_schema()

    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(cli("help", "json-schema").stdout) == schema
    assert json.loads((ROOT / "docs/nscale.schema.json").read_text("utf-8")) == schema


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"status": "fine"},
        {"errors": [{"code": "key"}]},
        {"data": {"images": []}},
        {"data": {}},
        {"more": 1},
    ],
)
def test_the_schema_refuses_what_is_no_document(cli: Cli, change: dict[str, object]) -> None:
    """A schema that takes anything would promise nothing."""
    document = cli("images", "generate", "cat", "--sandbox", "-z", "64x64", "--json").document
    validator = jsonschema.Draft202012Validator(document_schema())

    assert validator.is_valid(document)
    assert not validator.is_valid({**document, **change})


def test_the_page_for_agents_is_the_repository_s(cli: Cli) -> None:
    """`nscale help agent` and SKILL.md are one text, with all exit codes."""
    page = (ROOT / "SKILL.md").read_text("utf-8")

    assert cli("help", "agent").stdout == page
    assert page.startswith("---\nname: nscale\ndescription: ")
    assert all(f"| {code.value} | `{code.label}` |" in page for code in ExitCode)
