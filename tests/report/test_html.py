"""The page stands alone, says what failed, and lies beside its parts as files."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from one_style import check_one_style
from record_rows import measurement_rows, run_row
from rich.console import Console
from synthetic import make_results

from harness import report
from harness.errors import UserError
from harness.records.store import collect
from harness.records.writer import write_run
from harness.report.analyze import Analysis, analyze
from harness.report.html import write_report


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
    assert all(target.startswith(("data:image/svg+xml;base64,", "#")) for target in links.targets)
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
        "The table is memorised: <this> is capacity",
        "Benjamini and\nHochberg",
        "four steps of the ladder or more",
        "torch 2.13.0",
        "0123456789abcdef",
        "harness sweep experiment=tiny",
    ):
        assert said in words, said
    assert "<out of memory?>" not in page and "<this>" not in page


def test_files_beside_the_page(results: Path, analysis: Analysis, page: str) -> None:
    verdicts = pd.read_csv(results / "verdicts.csv")
    assert list(verdicts.columns) == list(analysis.jumps.columns) and len(verdicts) == len(analysis.jumps)
    assert "threshold" in verdicts and {"onset", "onset_low", "half_rise_high"} <= set(verdicts)
    assert len(pd.read_csv(results / "laws.csv")) == 12
    pictures = {path.name for path in (results / "plots").iterdir()}
    assert {"thresholds.png", "thresholds.svg", "lookup_exact_match.png", "parity_accuracy_subtasks.svg"} <= pictures
    assert {path.removesuffix(".png") for path in pictures if path.endswith(".png")} == {
        path.removesuffix(".svg") for path in pictures if path.endswith(".svg")
    }


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
    assert (folder / "plots" / "text_loss_params_total.svg").exists()


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
    write_run(tmp_path, run_row("aa"), measurement_rows(metric="score", paired_metric=None))
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


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_chromium_shows_the_page_on_a_phone_without_sideways_scrolling(page: str, tmp_path: Path) -> None:
    frame = tmp_path / "phone.html"
    measure = "d = f.contentDocument; document.title = [d.documentElement.scrollWidth, f.clientWidth, d.images.length]"
    frame.write_text(
        f'<iframe id="f" style="width:375px;height:800px;border:0" srcdoc="{html.escape(page)}"></iframe>'
        f"<script>f.onload = () => {{ {measure} }}</script>"
    )
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"<title>(\d+),(\d+),(\d+)</title>", shown)
    assert found, shown[:300]
    wide, window, images = map(int, found.groups())
    assert wide <= window and images == page.count("<img ")


def test_the_page_and_the_card_write_numbers_in_one_style(page: str, results: Path) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script|svg)\b.*?</\1>", " ", page)))
    assert "p < 0.001" in text
    check_one_style(text)
    check_one_style((results / "card.md").read_text())
