"""Options that `make test` adds: several processes for all tests, one for a few; the slowest are listed."""

from __future__ import annotations

import pytest

from config.embedded import test_server
from config.embedded.setup import SetupError
from tests.paths import ROOT


@pytest.mark.parametrize("arguments", [[], ["-q"], ["--durations=60"], ["--junitxml=var/report.xml", "-x"]])
def test_the_whole_suite_is_shared(arguments: list[str]) -> None:
    assert test_server.pytest_options(arguments, {}, ROOT)[0] == "-n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["tests/metrics"],
        ["-q", "tests/config/embedded/test_test_server.py::test_a_few_are_not"],
        ["-k", "rollup"],
        ["-krollup"],
        ["-m", "browser"],
        ["--lf"],
        ["--pdb"],
        ["--deselect=tests/metrics"],
        ["-n", "4"],
    ],
)
def test_a_few_are_not(arguments: list[str]) -> None:
    assert test_server.pytest_options(arguments, {}, ROOT) == test_server.SLOWEST


def test_the_environment_decides() -> None:
    assert test_server.pytest_options([], {"WORKERS": "0"}, ROOT) == test_server.SLOWEST
    assert test_server.pytest_options(["tests/metrics"], {"WORKERS": "5"}, ROOT)[:2] == ["-n", "5"]


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(SetupError, match="WORKERS must be a number"):
        test_server.pytest_options([], {"WORKERS": "many"}, ROOT)


def test_the_slowest_tests_are_listed_unless_the_caller_says_how_many() -> None:
    assert test_server.pytest_options(["tests/metrics"], {}, ROOT) == ["--durations=15", "--durations-min=1"]
    for given in (["--durations=60"], ["--durations", "0"]):
        assert test_server.pytest_options([*given, "tests/metrics"], {}, ROOT) == []
