"""Flags win over the environment, that over the file, that over the defaults; every mistake names key and place."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from gigawatch_contract import settings
from gigawatch_contract.errors import ConfigurationError
from gigawatch_contract.settings import setting


@dataclass(frozen=True)
class Settings:
    """One setting of each type."""

    name: str = setting(help="required text")
    dsn: str | None = setting(None, help="a shared one", shared="GIGAWATCH_DSN")
    port: int = setting(4318, help="100 % whole")
    push_interval: float = setting(15.0, help="seconds")
    verbose: bool = setting(default=False, help="say more")
    spool: Path = setting(Path("spool"), help="a folder")

    def __post_init__(self) -> None:
        settings.check(0 < self.port < 65536, "port", self.port, "must be 1 to 65535")


def load(*flags: str, environ: dict[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser, Settings, "collector")
    return settings.load(Settings, "collector", parser.parse_args(flags), environ or {})


def said(*flags: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(*flags, environ=environ)
    return str(error.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in which every key is set."""
    path = tmp_path / "gigawatch.toml"
    path.write_text(
        "[collector]\nname = 'file'\ndsn = 'file'\nport = 1\npush_interval = 1\nverbose = true\nspool = 'file'\n"
        "[exporter]\nname = 'another part'\n"
    )
    return path


def test_without_anything_else_the_defaults_stand() -> None:
    assert load("--name", "x") == Settings("x", None, 4318, 15.0, verbose=False, spool=Path("spool"))


def test_the_file_wins_over_the_defaults(file: Path) -> None:
    assert load("--config", str(file)) == Settings("file", "file", 1, 1.0, verbose=True, spool=Path("file"))


def test_the_environment_wins_over_the_file_and_a_flag_over_the_environment(file: Path) -> None:
    environ = {
        "GIGAWATCH_COLLECTOR_NAME": "environment",
        "GIGAWATCH_DSN": "environment",
        "GIGAWATCH_COLLECTOR_PORT": "2",
        "GIGAWATCH_COLLECTOR_PUSH_INTERVAL": "2.5",
        "GIGAWATCH_COLLECTOR_VERBOSE": "off",
        "GIGAWATCH_COLLECTOR_SPOOL": "environment",
    }
    found = load("--config", str(file), environ=environ)
    assert found == Settings("environment", "environment", 2, 2.5, verbose=False, spool=Path("environment"))
    flags = ("--name", "f", "--dsn", "f", "--port", "3", "--push-interval", "3.5", "--verbose", "--spool", "f")
    assert load("--config", str(file), *flags, environ=environ) == Settings(
        "f", "f", 3, 3.5, verbose=True, spool=Path("f")
    )


def test_each_setting_can_be_set_in_each_place() -> None:
    """The test above must know every field, or a new one would go unproved."""
    assert len(fields(Settings)) == 6


def test_an_empty_variable_is_not_set_and_zero_is_a_value() -> None:
    assert load("--name", "x", environ={"GIGAWATCH_COLLECTOR_PORT": ""}).port == 4318
    assert load("--name", "x", environ={"GIGAWATCH_COLLECTOR_PUSH_INTERVAL": "0"}).push_interval == 0


@pytest.mark.parametrize(("word", "value"), [("true", True), ("ON", True), ("1", True), ("no", False), ("0", False)])
def test_the_usual_words_for_true_and_false_are_understood(word: str, value: bool) -> None:
    assert load("--name", "x", "--verbose", word).verbose is value


MISTAKES_IN_A_FILE = {
    "[collector": "is not TOML: ",
    "collector = 1": "collector must be a table: [collector]",
    "[collector]\nprot = 1": "[collector] has no key 'prot'; it knows: dsn, name, port, push_interval, spool, verbose",
    "[collector]\nport = 'x'": "[collector] port: port = 'x' is not a whole number",
    "[collector]\nport = 1.5": "[collector] port: port = 1.5 is not a whole number",
    "[collector]\nport = true": "[collector] port: port = True is not a whole number",
    "[collector]\npush_interval = 'soon'": "[collector] push_interval: push_interval = 'soon' is not a number",
    "[collector]\npush_interval = nan": "[collector] push_interval: push_interval = nan is not a number",
    "[collector]\npush_interval = inf": "[collector] push_interval: push_interval = inf is not a number",
    "[collector]\npush_interval = true": "[collector] push_interval: push_interval = True is not a number",
    "[collector]\nverbose = 'perhaps'": "[collector] verbose: verbose = 'perhaps' is not true or false",
    "[collector]\nname = 1": "[collector] name: name = 1 is not text",
    "[collector]\nspool = 1": "[collector] spool: spool = 1 is not a path",
}


@pytest.mark.parametrize("text", MISTAKES_IN_A_FILE)
def test_a_mistake_in_the_file_names_the_file_and_the_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    message = said("--name", "x", "--config", str(path)) if "name" not in text else said("--config", str(path))
    assert str(path) in message
    assert MISTAKES_IN_A_FILE[text] in message
    assert "\n" not in message


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    assert said("--config", str(tmp_path / "none.toml")).endswith("none.toml: No such file or directory")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "bytes.toml is not TOML" in said("--config", str(tmp_path / "bytes.toml"))


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    message = said("--name", "x", environ={"GIGAWATCH_COLLECTOR_PORT": "many"})
    assert message == "GIGAWATCH_COLLECTOR_PORT: port = 'many' is not a whole number"


def test_a_mistake_in_a_flag_names_the_flag() -> None:
    assert said("--name", "x", "--push-interval", "soon") == "--push-interval: push_interval = 'soon' is not a number"


def test_a_required_setting_names_all_the_places_where_it_may_be_set() -> None:
    message = said()
    assert message == (
        "name is not set: give --name, GIGAWATCH_COLLECTOR_NAME or name in [collector] of a --config file"
    )


def test_a_value_that_makes_no_sense_is_refused_with_what_is_wanted() -> None:
    assert said("--name", "x", "--port", "65536") == "port = 65536: must be 1 to 65535"


def test_help_tells_default_and_variable_of_each_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--port N 100 % whole (default: 4318) [GIGAWATCH_COLLECTOR_PORT]" in text
    assert "--dsn TEXT a shared one [GIGAWATCH_DSN]" in text
    assert "--name TEXT required text [GIGAWATCH_COLLECTOR_NAME]" in text
