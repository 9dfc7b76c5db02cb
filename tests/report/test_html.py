"""The page stands alone, says what failed, and lies beside its parts as files."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from synthetic import make_results

from harness.errors import UserError
from harness.records.store import collect
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
        "Benjamini and Hochberg",
        "less than four steps",
        "torch 2.13.0",
        "0123456789abcdef",
        "harness sweep experiment=tiny",
    ):
        assert said in words, said
    assert "<out of memory?>" not in page and "<this>" not in page


def test_files_beside_the_page(results: Path, analysis: Analysis, page: str) -> None:
    verdicts = pd.read_csv(results / "verdicts.csv")
    assert list(verdicts.columns) == list(analysis.jumps.columns) and len(verdicts) == len(analysis.jumps)
    assert len(pd.read_csv(results / "laws.csv")) == 12
    pictures = {path.name for path in (results / "plots").iterdir()}
    assert {"thresholds.png", "thresholds.svg", "lookup_exact_match.png", "parity_accuracy_subtasks.svg"} <= pictures
    assert {path.removesuffix(".png") for path in pictures if path.endswith(".png")} == {
        path.removesuffix(".svg") for path in pictures if path.endswith(".svg")
    }


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
