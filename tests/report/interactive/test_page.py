"""The interactive page in a browser: its controls do what they say, and it asks for nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.report import tables
from harness.report.analyze import Analysis
from harness.report.interactive import interactive_page
from harness.report.interactive.data import page_data
from harness.report.interactive.page import LIMIT_BYTES
from harness.report.plots import VERDICTS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: Names that would end a script, open a tag, or be a link in what Plotly draws.
EVIL = "</script><img src=x onerror='document.title=1'><b>"


@pytest.fixture(scope="module")
def page(analysis: Analysis) -> str:
    return interactive_page(analysis)


#: What tests do to a page: `inside` is its window.
HELPERS = """
const found = (id) => inside.document.getElementById(id);
const all = (chosen) => [...inside.document.querySelectorAll(chosen)];
const figure = found("figure");
const change = (control) => control.dispatchEvent(new inside.Event("change", { bubbles: true }));
const choose = (id, value) => { found(id).value = value; change(found(id)); };
const tick = (verdict, on) => {
  const box = all("#verdicts input").find((each) => each.value === verdict);
  box.checked = on;
  change(box);
};
const lines = () => figure.data.filter((trace) => trace.meta === "mean").length;
const rows = () => all("#table tbody tr").filter((row) => !row.hidden).length;
const hoverAndClick = (point) => {
  const at = figure.data.findIndex((trace) => trace.meta === "runs");
  inside.Plotly.Fx.hover(figure, [{ curveNumber: at, pointNumber: point }]);
  figure.emit("plotly_click", { points: [{ customdata: figure.data[at].customdata[point] }] });
  const hover = all(".hoverlayer .hovertext").map((each) => each.textContent).join(" ");
  return { hover, value: figure.data[at].y[point], panel: found("run").textContent, hidden: found("run").hidden };
};
"""


def opened(page: str, script: str, folder: Path, width_px: int) -> dict[str, Any]:
    """What `script`, the body of a function, returns once Chromium has drawn the page in a frame of this width."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<!DOCTYPE html><body><iframe id="f" style="width:{width_px}px;height:900px;border:0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        "<pre id='told'></pre><script>f.onload = () => setTimeout(() => { const inside = f.contentWindow;\n"
        f"let said; try {{ said = (() => {{ {HELPERS} {script} }})(); }}\n"
        "catch (error) { said = { error: error.stack }; }\n"
        "told.textContent = encodeURIComponent(JSON.stringify(said)); }, 200)</script></body>"
    )
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-quic", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000", wrapper.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    found = re.search(r'<pre id="told">(\S+)</pre>', shown)
    assert found, shown[-2000:]
    said = json.loads(urllib.parse.unquote(found[1]))
    assert "error" not in said, said["error"]
    return dict(said)


@pytest.fixture(scope="module")
def seen(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a reader sees who goes through the controls; in one visit, for each takes seconds."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    script = """
    const axes = () => ({ title: figure.layout.xaxis.title.text, x: figure.layout.xaxis.type,
      y: figure.layout.yaxis.type,
      least: Math.min(...figure.data[0].x), range: figure._fullLayout.xaxis.range });
    const said = { offered: all("#x option").map((each) => each.value), first: axes() };
    choose("x", "flops");
    said.flops = axes();
    choose("x-scale", "linear"); choose("y-scale", "log");
    said.linear = axes();
    choose("x", "params_non_embedding");

    choose("metric", "accuracy"); choose("subtasks", "each");
    said.before = { lines: lines(), rows: rows() };
    tick("emergent", false);
    said.without = { lines: lines(), rows: rows(), groups: figure.data.map((trace) => trace.legendgroup) };
    tick("emergent", true);
    choose("study", "parity");
    said.parity = { lines: lines(), rows: rows() };

    choose("study", "digits");
    said.point = hoverAndClick(3);
    said.asked = inside.performance.getEntriesByType("resource").map((each) => each.name);
    said.links = all("#figure a[href]").length;
    return said;
    """
    return opened(page, script, tmp_path_factory.mktemp("seen"), 1200)


def test_choosing_x_and_scales_changes_the_axes(seen: dict[str, Any]) -> None:
    first, flops, linear = seen["first"], seen["flops"], seen["linear"]
    assert first["title"] == "non-embedding parameters" and first["x"] == "log"
    assert flops["title"] == "training FLOPs" and flops["x"] == "log" and flops["least"] > 1000 * first["least"]
    assert (linear["x"], linear["y"]) == ("linear", "log")
    assert linear["range"][1] > 1e6 > flops["range"][1]
    assert {"params_non_embedding", "params_total", "flops", "width"} <= set(seen["offered"])
    assert "tokens" not in seen["offered"], "every run saw as many"


def test_unticking_a_verdict_removes_its_curves_and_rows(seen: dict[str, Any], analysis: Analysis) -> None:
    jumps = analysis.jumps
    accuracy = jumps[jumps["metric"] == "accuracy"]
    n_emergent = int((accuracy["verdict"] == "emergent").sum())
    assert n_emergent == (jumps["verdict"] == "emergent").sum() > 0
    before, without = seen["before"], seen["without"]
    assert before["rows"] == len(jumps) and without["rows"] == len(jumps) - n_emergent
    assert before["lines"] - without["lines"] == n_emergent
    assert "emergent" not in without["groups"]
    n_parity = int((accuracy["study"] == "parity").sum())
    assert seen["parity"] == {"lines": n_parity, "rows": n_parity}


def test_a_point_tells_its_run_seed_and_settings(seen: dict[str, Any], analysis: Analysis) -> None:
    point = seen["point"]
    found = re.search(r"run (digits-\d+-\d+)", point["hover"])
    assert found, point["hover"]
    rows = analysis.frame[(analysis.frame["run_id"] == found[1]) & (analysis.frame["metric"] == "accuracy")]
    row = rows.iloc[0]
    told = (
        f"seed {row['seed']}",
        f"width × depth {row['width']} × 1",
        "learning rate 0.01",
        "steps × batch size 500 × 16",
    )
    assert all(words in point["hover"] for words in told), point["hover"]
    assert point["value"] == pytest.approx(row["value"], rel=1e-4)
    assert not point["hidden"] and found[1] in point["panel"] and "optimizer.lr0.01" in point["panel"]


def test_nothing_is_asked_of_a_network(seen: dict[str, Any]) -> None:
    assert seen["asked"] == [] and seen["links"] == 0


class Loads(HTMLParser):
    """What a page loads and links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        (self.linked if tag == "a" else self.loaded).extend(
            str(found[name]) for name in ("src", "href") if name in found
        )
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(found["content"])


def test_the_page_is_one_file_whose_policy_forbids_every_request(page: str) -> None:
    loads = Loads()
    loads.feed(page)
    assert loads.loaded == [] and set(loads.linked) == {"report.html"}
    assert loads.policy.startswith("default-src 'none'") and "http" not in loads.policy
    assert "<noscript>" in page and "Plotly, Inc." in page and "Permission is hereby granted" in page


def test_the_table_has_the_words_of_the_static_page(page: str, analysis: Analysis) -> None:
    for row in tables.verdict_table(analysis.jumps, analysis.x).to_dict("records"):
        assert row["why"].replace("<", "&lt;") in page and f">{row['N*'].replace('<', '&lt;')}</td>" in page


def test_thresholds_are_marked_where_the_table_has_one(page: str, analysis: Analysis) -> None:
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    marked = {
        (curve["study"], curve["subtask"], curve["metric"])
        for curve in data["curves"]
        if curve["threshold"][0] is not None and not curve["judges"]
    }
    words = tables.verdict_table(analysis.jumps, analysis.x)["N*"].str.match(r"\d")
    placed = analysis.jumps[words.to_numpy() & analysis.jumps["threshold"].notna().to_numpy()]
    assert marked == set(placed[["study", "subtask", "metric"]].itertuples(index=False, name=None)) != set()


def test_colours_and_markers_are_those_of_the_figures(page: str) -> None:
    given = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["verdicts"]  # type: ignore[index]
    assert {each["name"]: (each["colour"], each["marker"]) for each in given} == VERDICTS


def evil(analysis: Analysis) -> Analysis:
    """The same results under names that would break a careless page."""

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        names = {name: frame[name].astype(str) + EVIL for name in ("study", "run_id", "subtask") if name in frame}
        if "subtask" in names:
            names["subtask"] = names["subtask"].where(frame["subtask"] != "all", "all")
        return frame.assign(**names)

    tables = {name: renamed(getattr(analysis, name)) for name in ("frame", "every_duration", "runs", "jumps")}
    fits = {(study + EVIL, x): law for (study, x), law in analysis.fits.items()}
    return Analysis(**(vars(analysis) | tables | {"fits": fits}))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_names_that_look_like_html_are_names_and_fit_a_phone(analysis: Analysis, tmp_path: Path) -> None:
    script = """
    choose("metric", "accuracy"); choose("colour", "study");
    return { ...hoverAndClick(0), images: inside.document.images.length, title: [document.title, inside.document.title],
      first: found("table").querySelector("tbody th").textContent, study: found("study").options[1].text,
      wide: inside.document.documentElement.scrollWidth,
      drawn: figure.querySelector(".main-svg").getBoundingClientRect().width };
    """
    said = opened(interactive_page(evil(analysis)), script, tmp_path, 420)
    assert said["images"] == 0 and said["title"][0] == "" and said["title"][1].endswith("interactive scaling report")
    assert said["wide"] <= 420 and 380 < said["drawn"] <= 420
    for where in ("hover", "panel", "first", "study"):
        assert "</script><img src=x" in said[where], where


def copied(analysis: Analysis, times: int) -> Analysis:
    """The same results with every run that many times, under names of its own."""

    def many(frame: pd.DataFrame) -> pd.DataFrame:
        copies = [frame.assign(run_id=frame["run_id"] + f"-copy-{at}") for at in range(times)]
        return pd.concat(copies, ignore_index=True)

    frames = {name: many(getattr(analysis, name)) for name in ("frame", "every_duration")}
    return Analysis(**(vars(analysis) | frames))


def test_a_folder_of_many_points_makes_a_page_of_less_than_5_mb(analysis: Analysis) -> None:
    large = copied(analysis, 10_000 // len(analysis.frame) + 1)
    assert len(large.frame) > 10_000
    page = interactive_page(large)
    assert len(page.encode()) < LIMIT_BYTES and "Left out" not in page


def test_what_does_not_fit_is_left_out_and_said(analysis: Analysis) -> None:
    large = copied(analysis, 8)
    everything, said = page_data(large, 10**6)
    assert said == []
    some, said = page_data(large, len(everything) - 1)
    assert len(some) < len(everything) and re.fullmatch(r"curves of single subtasks \([\d,]+ points\)", said[0])
    few, said = page_data(large, len(some) - 1)
    assert len(few) < len(some) and re.fullmatch(r"all but one in 2 runs of each size \(\d+ of \d+ stay\)", said[1])
    sizes = {(run["study"], run["rung"]) for run in analysis.frame.to_dict("records")}
    kept = json.loads(few)["runs"]
    assert len({(kept["study"]["at"][at], rung) for at, rung in enumerate(kept["rung"])}) == len(sizes)
    assert json.loads(page_data(large, 10)[0])["curves"] == []
