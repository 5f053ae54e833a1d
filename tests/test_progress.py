"""Progress is silent unless asked for, one JSON object a line for programs, and never touches stdout."""

import json

import pytest

from danggol import progress


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_silent_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.stage("work", 3) as bar:
        bar.say("a")
        bar.advance()
    assert list(progress.track([1, 2], "items")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_json_lines_go_to_stderr_and_say_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.use("json"), progress.stage("학습", 3) as bar:
        for _ in range(3):
            bar.advance()
        bar.say("done")
    out, err = capsys.readouterr()
    assert out == ""
    assert lines(err)[0] == {"stage": "학습", "done": 0, "total": 3, "text": "", "ended": False}
    assert lines(err)[-1] == {"stage": "학습", "done": 3, "total": 3, "text": "done", "ended": True}


def test_json_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.use("json"):
        assert sum(progress.track(range(10_000), "items")) == 49_995_000
    found = lines(capsys.readouterr().err)
    assert len(found) < 10
    assert found[-1]["done"] == found[-1]["total"] == 10_000


def test_the_total_is_known_where_it_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.use("json"):
        list(progress.track((n for n in range(3)), "stream"))
        list(progress.track([1, 2], "list"))
        list(progress.track((n for n in range(3)), "told", total=3))
    assert [line["total"] for line in lines(capsys.readouterr().err) if line["ended"]] == [None, 2, 3]


def test_bars_nest_and_stay_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.use("rich"), progress.stage("outer", 2) as outer:
        for _ in range(2):
            with progress.stage("inner", 5) as inner:
                inner.say("part")
                inner.advance(5)
            outer.advance()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("mode", ["none", "rich", "json"])
def test_errors_come_through_and_the_mode_ends_with_its_block(
    mode: progress.Mode, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError), progress.use(mode), progress.stage("outer"), progress.stage("inner", 1):
        _ = 1 / 0
    capsys.readouterr()
    with progress.stage("after", 1) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")
