"""What people see of a run."""

from __future__ import annotations

import pytest

from runner.cli_teller import Teller


def test_lines_of_a_program_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(as_json=False)
    for part in (b"one ", b"line\nan", b"other\nno end"):
        teller.show(part)
    assert capsys.readouterr().out == "  | one line\n  | another\n"
    teller.say("done", step="a", how="exited 0")
    assert capsys.readouterr().out.startswith("  | no end\n")
    teller.say("done", step="a", how="exited 0")
    assert "no end" not in capsys.readouterr().out


def test_a_line_without_an_end_is_not_kept_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(as_json=False)
    for _ in range(3):
        teller.show(b"." * 30_000)
    assert len(capsys.readouterr().out) > 80_000


def test_json_has_no_lines_of_programs(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(as_json=True)
    teller.show(b"one line\n")
    assert capsys.readouterr().out == ""
