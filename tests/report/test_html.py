"""The page stands alone, says what failed, and lies beside its parts as files."""

from __future__ import annotations

import dataclasses
import html
import io
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from one_style import check_one_style
from piece_files import forge_piece
from record_rows import measurement_rows, run_row
from rich.console import Console
from synthetic import make_results

from harness import report
from harness.errors import UserError
from harness.records.store import collect
from harness.records.writer import write_run
from harness.report import pictures
from harness.report.analyze import Analysis, analyze
from harness.report.html import _content, write_report


class Links(HTMLParser):
    """Collects what a page refers to and what its pictures say."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.alts: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.targets += [str(found[name]) for name in ("src", "href") if name in found]
        self.ids += [str(found["id"])] if "id" in found else []
        if tag == "img":
            self.alts.append(str(found.get("alt") or ""))


def test_the_page_is_one_file_that_asks_for_nothing_else(page: str) -> None:
    links = Links()
    links.feed(page)
    assert "report_interactive.html" in links.targets  # beside it, and no part of it
    targets = [target for target in links.targets if target != "report_interactive.html"]
    assert all(target.startswith(("data:image/svg+xml;base64,", "#")) for target in targets)
    assert {target[1:] for target in links.targets if target.startswith("#")} <= set(links.ids)
    assert len(links.alts) > 8 and all(links.alts)
    assert not re.search(r"<script|<link|@import|url\(", page)


def test_the_page_says_what_failed_and_what_cannot_be_told(page: str) -> None:
    words = html.unescape(page)
    for said in (
        "1 diverged, 1 failed",
        "killed by signal 9 <out of memory?>",
        "too few sizes",
        "needs at least 3 distinct x",
        "four rungs of the ladder or more",
        "all studies",
        "The table is memorised: <this> is capacity",
        "Benjamini and\nHochberg",
        "torch 2.13.0",
        "0123456789abcdef",
        "No experiment file is called tiny",
        "jumps or is steeper than smooth",
    ):
        assert said in words, said
    assert "<out of memory?>" not in page and "<this>" not in page


@pytest.mark.usefixtures("undrawn")
def test_commands_are_those_of_experiment_files_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    assert "harness sweep" not in page
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "conf" / "experiment" / "tiny.yaml"
    own.parent.mkdir(parents=True)
    own.touch()
    folder = make_results(tmp_path / "tiny", ("text",), max_seeds=2, failures=False)
    words = write_report(analyze(folder, bootstrap=200))[0].read_text()
    assert "harness sweep experiment=tiny\nharness analyze experiment=tiny" in words
    assert "No experiment file" not in words


def test_files_beside_the_page(results: Path, analysis: Analysis, page: str) -> None:
    verdicts = pd.read_csv(results / "verdicts.csv")
    assert list(verdicts.columns) == list(analysis.jumps.columns) and len(verdicts) == len(analysis.jumps)
    assert "threshold" in verdicts and {"onset", "onset_low", "half_rise_high"} <= set(verdicts)
    assert len(pd.read_csv(results / "laws.csv")) == 12
    pictures = {path.name for path in (results / "plots").iterdir()}
    assert {"thresholds.png", "thresholds.svg", "lookup.exact_match.png", "parity.accuracy.subtasks.svg"} <= pictures
    assert {path.removesuffix(".png") for path in pictures if path.endswith(".png")} == {
        path.removesuffix(".svg") for path in pictures if path.endswith(".svg")
    }


@pytest.mark.usefixtures("undrawn")
def test_open_ends_are_inf_in_the_table_of_verdicts_and_words_on_the_page(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "open", ("lookup",), max_seeds=2, failures=False)
    analysis = analyze(folder, bootstrap=200)
    ends = {"threshold": np.nan, "threshold_low": 5_000.0, "threshold_high": np.inf}
    open_ended = Analysis(**(vars(analysis) | {"jumps": analysis.jumps.assign(**ends)}))
    page, *_, table, _, _ = write_report(open_ended)
    assert ",5000.0,inf," in table.read_text()
    assert pd.read_csv(table)["threshold_high"].tolist() == [np.inf]
    words = page.read_text()
    assert "from 5,000, open above" in words and ">nan<" not in words and ">inf<" not in words


def test_a_study_that_was_not_tested_is_drawn_and_says_why(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "mixed", ("lookup", "text"), max_seeds=2, failures=False)
    analysis = analyze(folder, bootstrap=200)
    untested = Analysis(**(vars(analysis) | {"impossible": {"text": "its sizes are <unknown>"}}))
    words = write_report(untested)[0].read_text()
    assert "Not tested for jumps:</strong> its sizes are &lt;unknown&gt;" in words
    assert "<strong>text</strong> has no verdict: its sizes are &lt;unknown&gt;" in words
    assert (folder / "plots" / "text.loss.params_total.svg").exists()


@pytest.mark.usefixtures("undrawn")
def test_no_finished_run_still_makes_a_page(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "lost", ("text",), max_seeds=1)
    for path in (folder / "pieces").glob("text-*-0.*"):
        path.unlink()
    for name in ("runs", "measurements"):
        (folder / f"{name}.parquet").unlink()
    collect(folder)
    analysis = analyze(folder, bootstrap=200)
    assert analysis.impossible == {"text": "none of its runs finished"}
    assert "none of its runs finished" in write_report(analysis)[0].read_text()


@pytest.mark.usefixtures("undrawn")
def test_finished_runs_without_an_evaluation_are_not_said_to_have_failed(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "unmeasured", ("text",), max_seeds=1, failures=False)
    for path in folder.glob("pieces/*.parquet"):
        forge_piece(folder, path.stem, lambda numbers: numbers.slice(0, 0))
    for name in ("runs", "measurements"):
        (folder / f"{name}.parquet").unlink()
    n = collect(folder).n_runs
    analysis = analyze(folder, bootstrap=200)
    assert analysis.impossible == {"text": f"{n} runs finished, with no evaluation"}
    assert analysis.impossible["text"] in write_report(analysis)[0].read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, analysis: Analysis) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(Analysis(**(vars(analysis) | {"folder": blocked})))


#: A name that climbs out of a folder, and one that starts at the root.
METRICS, SUBTASKS = ("../../escaped", "/escaped"), ("../../../escaped too", "all")


def test_no_name_leaves_the_folder_of_plots(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    rng = np.random.default_rng(0)
    for size in range(8):
        counts = {"params_total": 20 * 2**size + 20, "params_non_embedding": 20 * 2**size}
        for seed in range(3):
            share = 0.9 * (size > 4) + rng.uniform(0, 0.05)
            (row,) = [row for row in measurement_rows((4,), value=share) if row["metric"] == "accuracy"]
            named = [{"metric": metric, "subtask": subtask} for metric in METRICS for subtask in SUBTASKS]
            run = run_row(f"r{size}s{seed}", study="../study", rung=size, seed=seed, **counts)
            write_run(folder, run, [row | {"paired_metric": None} | names for names in named])
    collect(folder)
    assert all(path.exists() for path in write_report(analyze(folder)))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(folder) for path in written)
    pictures = [path for path in written if path.suffix in (".png", ".svg")]
    assert all(path.parent == folder / "plots" for path in pictures)
    assert sum("escaped" in path.name for path in pictures) >= 2 * len(METRICS)


def test_an_analysis_with_nothing_to_draw_is_shown_and_kept(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows(metric="score", paired_metric=None)[::2])
    collect(tmp_path)
    shown = []
    for _ in range(2):
        text = io.StringIO()
        report.show(tmp_path, Console(file=text, width=200))
        shown.append(text.getvalue())
    assert shown[0] == shown[1]
    assert "report.html" in shown[0] and "plots" not in shown[0]
    assert not (tmp_path / "plots").exists()


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


#: What a browser finds on the page at a width: elements that stick out to the right, pictures, the width of the forest
#: as a share of the page's, and of the reasons of verdicts how many there are and how many can be read.
MEASURE = """
const all = [...d.body.querySelectorAll("*")].map(each => each.getBoundingClientRect());
const whys = [...d.querySelectorAll(".why details")];
const page = d.querySelector("main").getBoundingClientRect().width;
found.push(all.filter(box => box.right > f.clientWidth + 1).length, d.images.length,
           Math.round(100 * d.querySelector("figure.full img").getBoundingClientRect().width / page),
           whys.length, whys.filter(each => each.getBoundingClientRect().height > 0 &&
                                            !each.querySelector("summary").getClientRects().length).length);
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_chromium_shows_all_of_the_page_on_a_desk_and_on_a_phone(page: str, tmp_path: Path) -> None:
    frame = tmp_path / "frame.html"
    shown_at = '<iframe style="width:{}px;height:800px;border:0" srcdoc="{}"></iframe>'
    frames = "".join(shown_at.format(width, html.escape(page)) for width in (1200, 420))
    measure = f"for (const f of document.querySelectorAll('iframe')) {{ const d = f.contentDocument; {MEASURE} }}"
    frame.write_text(
        f"{frames}<script>onload = () => {{ const found = []; {measure} document.title = found }}</script>"
    )
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command += ["--window-size=1300,1700", f"--user-data-dir={tmp_path}"]
    command += ["--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"<title>([\d,]+)</title>", shown)
    assert found, shown[:300]
    numbers = [int(number) for number in found[1].split(",")]
    for out, images, forest, reasons, _ in (numbers[:5], numbers[5:]):
        assert out == 0 and images == page.count("<img ") and forest >= 99
        assert reasons == page.count("<summary>why</summary>") > 8
    assert numbers[4] == numbers[3] and numbers[9] == 0  # all can be read on a desk; a phone folds them


@pytest.mark.usefixtures("undrawn")
def test_the_contents_lead_to_the_data_where_there_are_any(tmp_path: Path, page: str) -> None:
    assert "#data" not in page
    analysis = analyze(make_results(tmp_path / "data", ("text",), max_seeds=1, failures=False), bootstrap=100)
    runs = analysis.runs.assign(versions=json.dumps({"data_name": "Letters"}))
    words = write_report(Analysis(**(vars(analysis) | {"runs": runs})))[0].read_text()
    assert words.count('href="#data"') == words.count('id="data"') == 1


@pytest.mark.usefixtures("undrawn")
def test_the_page_links_the_interactive_one_where_it_is_there(tmp_path: Path) -> None:
    folder = make_results(tmp_path / "linked", ("text",), max_seeds=2, failures=False)
    analysis = analyze(folder, bootstrap=200)
    (folder / "report_interactive.html").unlink(missing_ok=True)
    assert "report_interactive" not in _content(analysis, folder / "plots")["interactive"]
    (folder / "report_interactive.html").touch()
    assert 'href="report_interactive.html"' in write_report(analysis)[0].read_text()


def test_the_head_counts_what_the_tables_below_hold(page: str, analysis: Analysis) -> None:
    head, rest = page.split('<section id="verdicts">')
    (said,) = re.findall(r"Verdicts on (\d+) curves of metrics that can jump: ([^<]*)\.</p>", head)
    table = rest.split('<section id="laws">')[0]
    counts = Counter(html.unescape(word) for word in re.findall(r'<span class="verdict [\w-]+">([^<]+)</span>', table))
    assert int(said[0]) == sum(counts.values()) == len(analysis.jumps)
    assert dict(counts) == {name: int(n) for n, name in (part.split(" ", 1) for part in said[1].split(", "))}


def test_a_subtask_that_is_drawn_large_says_why(page: str) -> None:
    assert "Of 3 subtasks, one is drawn large as an example: subtask 02, whose N* is the median." in page


@pytest.mark.usefixtures("undrawn")
def test_pictures_of_any_maker_are_on_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A picture of a new kind needs a maker alone."""
    folder = make_results(tmp_path / "more", ("text",), max_seeds=2, failures=False)
    analysis = analyze(folder, bootstrap=200)

    def more(analysis: Analysis, study: str) -> Iterator[pictures.Drawing]:
        axes = Figure().add_subplot()
        yield pictures.Drawing((study, "more"), axes, "more <words>", "A caption & more.", "wide")

    monkeypatch.setattr(pictures, "OF_STUDY", (*pictures.OF_STUDY, more))
    words = write_report(analysis)[0].read_text()
    assert 'alt="more &lt;words&gt;"' in words and "A caption &amp; more." in words
    assert (folder / "plots" / "text.more.svg").exists() and (folder / "plots" / "text.more.png").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_study_of_a_loss_alone_says_that_there_is_nothing_to_judge(tmp_path: Path) -> None:
    for size in range(6):
        rows = measurement_rows((4,), value=2.0 * 0.9**size)
        counts = {"params_total": 20 * 2**size + 20, "params_non_embedding": 20 * 2**size}
        write_run(tmp_path, run_row(f"r{size}", rung=size, **counts), [r for r in rows if r["metric"] == "loss"])
    collect(tmp_path)
    words = write_report(analyze(tmp_path, bootstrap=200))[0].read_text()
    assert "No curve has a verdict." in words and "<strong>main</strong> has no verdict: it has no metric" in words


def test_the_page_and_the_card_write_numbers_in_one_style(page: str, results: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script|svg)\b.*?</\1>", " ", page)))
    assert "p < 0.001" in text
    check_one_style(text)
    check_one_style((results / "card.md").read_text())


def test_plots_stay_in_the_results_folder_and_apart(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Names of metrics and studies are what a table says, and a folder may come from a stranger."""
    folder = tmp_path / "in" / "a" / "results"
    folder.mkdir(parents=True)

    def more(analysis: Analysis, study: str) -> Iterator[pictures.Drawing]:
        for metric in ("a b", "a_b", "../../../x", "/x"):
            yield pictures.Drawing((metric,), Figure().add_subplot(), "", "")

    monkeypatch.setattr(pictures, "OF_ALL", ())
    monkeypatch.setattr(pictures, "OF_STUDY", (more,))
    moved = dataclasses.replace(analysis, folder=folder)
    write_report(moved)
    assert len(list((folder / "plots").glob("*.svg"))) == len(list(tmp_path.rglob("*.svg"))) == 4
    shutil.rmtree(folder / "plots")
    (folder / "plots").symlink_to(tmp_path)
    with pytest.raises(UserError, match="plots is a symbolic link"):
        write_report(moved)
    assert not list(tmp_path.glob("*.svg"))
