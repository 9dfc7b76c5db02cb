"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs, columns = data.columns;
  const element = (id) => document.getElementById(id);
  const figure = element("figure");

  // Matplotlib's markers, so that a verdict looks as it does on the static page.
  const SYMBOLS = { o: "circle", P: "cross", s: "square", "^": "triangle-up", v: "triangle-down", D: "diamond", X: "x" };
  const NOT_TESTED = { name: "not tested", colour: "#000000", marker: "o" };
  // Okabe and Ito (2008); further studies repeat the colours with other dashes.
  const STUDY_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#56B4E9", "#000000"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  // Curves that are named at their last point; with more, names would lie on one another.
  const MOST_LABELS = 8;
  const MOST_IN_HOVER = 8;
  // Settings that `facts` has told, as columns of the runs.
  const TOLD = new Set(["optimizer.lr", "ladder.batch_size", "ladder.steps"]);

  // ------------------------------------------------------------------------------------------------------- what is known

  const coded = (column, run) => column.of[column.at ? column.at[run] : 0];
  const used = new Set(data.curves.map((curve) => curve.verdict));
  const verdicts = [...data.verdicts, NOT_TESTED].filter((verdict) => used.has(verdict.name));
  const studies = [...new Set(data.curves.map((curve) => curve.study))];
  const names = Object.fromEntries(data.x.map((each) => [each.column, each.name]));
  const varying = Object.keys(data.settings).filter((name) => data.settings[name].at);
  const constant = Object.keys(data.settings).filter((name) => !data.settings[name].at);

  const verdictOf = (curve) => verdicts.find((verdict) => verdict.name === curve.verdict);
  const isChosen = (run) => !runs.chosen || runs.chosen[run] === 1;

  function number(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
    if (size >= 1e15 || (size < 1e-3 && size > 0)) return value.toExponential(3).replace("e+", "e").replace(/\.?0+e/, "e");
    if (size >= 1e6) {
      const [scale, prefix] = size >= 1e12 ? [1e12, "T"] : size >= 1e9 ? [1e9, "G"] : [1e6, "M"];
      return `${Number((value / scale).toPrecision(4))}${prefix}`;
    }
    return Number(value.toPrecision(5)).toLocaleString("en", { maximumSignificantDigits: 5 });
  }

  // What Plotly draws is text with tags of its own; names may hold anything.
  const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const shortened = (text, most = 60) => (String(text).length > most ? `${String(text).slice(0, most - 1)}…` : String(text));

  function facts(run) {
    const of = (name) => (columns[name] ? columns[name][run] : null);
    return [
      ["seed", runs.seed[run]],
      ["width × depth", of("width") ? `${of("width")} × ${of("depth")}` : null],
      ["parameters, total", of("params_total") ? number(of("params_total")) : null],
      ["parameters, non-embedding", of("params_non_embedding") ? number(of("params_non_embedding")) : null],
      ["training tokens", of("tokens") ? number(of("tokens")) : null],
      ["training FLOPs", of("flops") ? number(of("flops")) : null],
      ["learning rate", of("lr") ? number(of("lr")) : null],
      ["steps × batch size", of("steps") ? `${number(of("steps"))} × ${number(of("batch_size"))}` : null],
    ].filter(([, value]) => value !== null);
  }

  function settings(run, chosenNames) {
    return chosenNames
      .map((name) => [name, coded(data.settings[name], run)])
      .filter(([, value]) => value !== null);
  }

  const titleOf = (curve) => (curve.subtask === "all" ? curve.study : `${curve.study}: ${curve.subtask}`);

  function hover(curve, run, value) {
    const told = [...facts(run), ...settings(run, varying.filter((name) => !TOLD.has(name))).slice(0, MOST_IN_HOVER)];
    return [
      `<b>${escaped(shortened(titleOf(curve)))}</b>`,
      `${escaped(shortened(data.metrics[curve.metric]))} ${number(value)}`,
      `run ${escaped(shortened(runs.id[run]))}`,
      ...told.map(([name, text]) => `${escaped(name)} ${escaped(shortened(text))}`),
      `verdict: ${curve.verdict}${curve.judges ? ` (it judges ${escaped(curve.judges)})` : ""}`,
    ].join("<br>");
  }

  // ---------------------------------------------------------------------------------------------------------- what is asked

  const SELECTS = ["x", "x-scale", "metric", "y-scale", "study", "subtasks", "colour"];
  const CHECKS = ["runs", "thresholds", "laws", "others"];

  function fill(select, options) {
    for (const [value, text] of options) select.append(new Option(text, value));
  }

  function makeControls() {
    fill(element("x"), data.x.map((each) => [each.column, each.name]));
    fill(element("metric"), Object.entries(data.metrics));
    fill(element("study"), [["", "all studies"], ...studies.map((study) => [study, study])]);
    for (const verdict of verdicts) {
      const label = document.createElement("label"), box = document.createElement("input"), swatch = document.createElement("span");
      label.className = "check";
      box.type = "checkbox";
      box.checked = true;
      box.value = verdict.name;
      swatch.className = "swatch";
      swatch.style.background = verdict.colour;
      label.append(box, swatch, verdict.name);
      element("verdicts").append(label);
    }
    element("others-label").hidden = !runs.chosen;
    element("laws-label").hidden = !data.laws.length;
    element("subtasks").parentElement.hidden = !data.curves.some((curve) => curve.subtask !== "all");
    readAddress();
    element("controls").addEventListener("change", (event) => {
      if (event.target.id === "metric") element("y-scale").value = isLoss() ? "log" : "linear";
      draw();
    });
  }

  const isLoss = () => (data.units[element("metric").value] || "").includes("nats");
  const ticked = () => new Set([...document.querySelectorAll("#verdicts input:checked")].map((box) => box.value));

  // The choice stands in the address, so that a view can be kept as a bookmark.
  function readAddress() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const id of SELECTS) {
      const value = asked.get(id);
      if (value !== null && [...element(id).options].some((option) => option.value === value)) element(id).value = value;
    }
    if (!asked.has("y-scale") && isLoss()) element("y-scale").value = "log";
    for (const id of CHECKS) if (asked.has(id)) element(id).checked = asked.get(id) === "1";
    if (asked.has("verdicts")) {
      const wanted = new Set(asked.get("verdicts").split(","));
      for (const box of document.querySelectorAll("#verdicts input")) box.checked = wanted.has(box.value);
    }
  }

  function writeAddress() {
    const asked = new URLSearchParams(SELECTS.map((id) => [id, element(id).value]));
    for (const id of CHECKS) asked.set(id, element(id).checked ? "1" : "0");
    asked.set("verdicts", [...ticked()].join(","));
    try {
      history.replaceState(null, "", `#${asked}`);
    } catch {
      // A page inside another, or without an address of its own.
    }
  }

  function chosenCurves() {
    const wanted = ticked(), metric = element("metric").value, study = element("study").value;
    return data.curves.filter(
      (curve) =>
        curve.metric === metric &&
        wanted.has(curve.verdict) &&
        (!study || curve.study === study) &&
        (element("subtasks").value === "each" || curve.subtask === "all"),
    );
  }

  // -------------------------------------------------------------------------------------------------------- what is drawn

  function pointsOf(curve, x) {
    const logX = element("x-scale").value === "log", logY = element("y-scale").value === "log";
    const points = [];
    let lost = 0;
    curve.run.forEach((run, i) => {
      const at = columns[x][run], value = curve.value[i];
      if (!element("others").checked && !isChosen(run)) return;
      if (at === null || (logX && at <= 0) || (logY && value <= 0)) lost += 1;
      else points.push({ run, at, value });
    });
    return { points, lost };
  }

  function grouped(items, key) {
    const groups = new Map();
    for (const item of items) {
      const name = key(item);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(item);
    }
    return groups;
  }

  // One line through the sizes; where x varies within a size, as a learning rate does, a line a size; none where several
  // sizes share one x, for it would join models of different kinds.
  function linesOf(points) {
    const bySize = [...grouped(points, (point) => runs.rung[point.run]).values()];
    const placesOf = (items) => new Set(items.map((point) => point.at)).size;
    const within = bySize.some((items) => placesOf(items) > 1);
    const groups = within ? bySize : placesOf(points) === bySize.length ? [points] : [];
    return groups
      .map((items) =>
        [...grouped(items, (point) => point.at)]
          .map(([at, same]) => [at, same.reduce((sum, point) => sum + point.value, 0) / same.length])
          .sort((a, b) => a[0] - b[0]),
      )
      .filter((line) => line.length > 1);
  }

  function looks(curve) {
    const verdict = verdictOf(curve), symbol = SYMBOLS[verdict.marker] || "circle";
    if (element("colour").value === "verdict") return { colour: verdict.colour, symbol, dash: "solid", group: verdict.name };
    const at = studies.indexOf(curve.study);
    const colour = STUDY_COLOURS[at % STUDY_COLOURS.length];
    return { colour, symbol, dash: DASHES[Math.floor(at / STUDY_COLOURS.length) % DASHES.length], group: curve.study };
  }

  function tracesOf(curves, x) {
    const traces = [], marks = [], labels = [], inLegend = new Set();
    const marking = element("thresholds").checked && x === data.threshold_x;
    let lost = 0, drawn = 0;
    for (const curve of curves) {
      const found = pointsOf(curve, x), look = looks(curve);
      lost += found.lost;
      if (!found.points.length) continue;
      drawn += 1;
      const showlegend = !inLegend.has(look.group);
      inLegend.add(look.group);
      const shared = { type: "scatter", legendgroup: look.group, name: escaped(shortened(look.group, 40)) };
      const lines = linesOf(found.points);
      lines.forEach((line, i) => {
        traces.push({
          ...shared, mode: "lines", x: line.map((at) => at[0]), y: line.map((at) => at[1]), showlegend: showlegend && i === 0,
          line: { color: look.colour, width: 2, dash: look.dash }, hoverinfo: "skip", meta: "mean",
        });
      });
      if (element("runs").checked || !lines.length) {
        traces.push({
          ...shared, mode: "markers", x: found.points.map((point) => point.at), y: found.points.map((point) => point.value),
          showlegend: showlegend && !lines.length, meta: "runs",
          text: found.points.map((point) => hover(curve, point.run, point.value)), hoverinfo: "text",
          customdata: found.points.map((point) => point.run),
          marker: { color: look.colour, symbol: look.symbol, size: 7, opacity: 0.65, line: { width: 0.5, color: "#fff" } },
        });
      }
      if (!lines.length) continue;
      labels.push(labelOf(curve, lines[lines.length - 1], look));
      const mark = marking && lines.length === 1 && curve.threshold[0] !== null && !curve.judges ? thresholdOf(curve, lines[0], look) : null;
      if (mark) marks.push({ ...mark, showlegend: marks.length === 0 });
    }
    return { traces: [...traces, ...marks], labels: labels.length > MOST_LABELS ? [] : labels, marked: marks.length, lost, drawn };
  }

  function lawsOf(curves, x) {
    const ofMetric = element("metric").value === "loss";
    element("laws").disabled = !ofMetric;
    element("laws-label").classList.toggle("without", !ofMetric);
    if (!element("laws").checked || !ofMetric) return [];
    const shown = new Map(curves.filter((curve) => curve.subtask === "all").map((curve) => [curve.study, curve]));
    return data.laws
      .filter((law) => law.x === x && shown.has(law.study))
      .map((law, i) => ({
        type: "scatter", mode: "lines", x: law.at, y: law.y, name: "fitted law", legendgroup: "fitted law", showlegend: i === 0,
        line: { color: "#000000", width: 1.2, dash: "dash" }, hoverinfo: "skip", meta: "law",
      }));
  }

  // Where a line is at x, along a logarithmic axis between two sizes.
  function heightOf(line, x) {
    const next = line.findIndex(([at]) => at >= x);
    if (next <= 0) return next === 0 && line[0][0] === x ? line[0][1] : null;
    const [[x0, y0], [x1, y1]] = [line[next - 1], line[next]];
    return y0 + ((y1 - y0) * Math.log(x / x0)) / Math.log(x1 / x0);
  }

  function thresholdOf(curve, line, look) {
    const [at, low, high] = curve.threshold;
    const y = heightOf(line, at);
    if (y === null || (element("y-scale").value === "log" && y <= 0)) return null;
    // An open interval ends where the sizes do.
    const from = Math.max(low ?? 0, line[0][0]), to = Math.min(high ?? Infinity, line[line.length - 1][0]);
    const ends = low && high !== null ? `${number(low)} to ${number(high)}` : low ? `${number(low)} or more` : high !== null ? `up to ${number(high)}` : "open";
    return {
      type: "scatter", mode: "markers", x: [at], y: [y], name: "N* and its interval", legendgroup: "N*", meta: "threshold",
      marker: { symbol: "line-ns-open", size: 16, color: look.colour, line: { width: 3, color: look.colour } },
      error_x: { type: "data", symmetric: false, array: [to - at], arrayminus: [at - from], color: look.colour, thickness: 1.5, width: 4 },
      text: [`<b>${escaped(shortened(titleOf(curve)))}</b><br>N* ${number(at)} (${ends})<br>verdict: ${curve.verdict}`], hoverinfo: "text",
    };
  }

  // Beside the middle of the curve's rise or fall, where curves that begin and end alike lie apart.
  function labelOf(curve, line, look) {
    const log = (id, value) => (element(`${id}-scale`).value === "log" ? Math.log10(value) : value);
    const values = line.map((at) => log("y", at[1])), middle = (Math.min(...values) + Math.max(...values)) / 2;
    const distance = (value) => Math.abs(value - middle);
    const at = values.reduce((best, value, i) => (distance(value) < distance(values[best]) ? i : best), 0);
    const alone = element("study").value !== "" && curve.subtask !== "all";
    const side = at === 0 ? "left" : "right";
    return {
      x: log("x", line[at][0]), y: values[at], text: escaped(shortened(alone ? curve.subtask : titleOf(curve), 24)), showarrow: false,
      xanchor: side, yanchor: "bottom", xshift: side === "left" ? 4 : -4, yshift: 2, font: { color: look.colour, size: 12 },
      bgcolor: figure.clientWidth < 500 ? "rgba(0,0,0,0)" : "rgba(255,255,255,0.7)", borderpad: 0,
    };
  }

  function axis(id, title, values) {
    const type = element(`${id}-scale`).value;
    const positive = values.filter((value) => value > 0);
    const least = positive.reduce((a, b) => Math.min(a, b), Infinity), most = positive.reduce((a, b) => Math.max(a, b), 0);
    const form = most >= 1e15 ? "~e" : most >= 1000 ? "~s" : "~g";
    // Labels at 1, 2 and 5 of each decade where these are few.
    const ticks = type === "log" ? { dtick: most / least < (figure.clientWidth < 500 ? 50 : 2000) ? "D2" : 1 } : {};
    return {
      type, title: { text: escaped(title), standoff: 8 }, automargin: true, gridcolor: "#e6e8eb", zeroline: false, linecolor: "#666666",
      ticks: "outside", tickformat: form, ...ticks,
    };
  }

  function draw() {
    const x = element("x").value, metric = element("metric").value, curves = chosenCurves();
    const { traces, labels, marked, lost, drawn } = tracesOf(curves, x);
    const along = (id) => traces.flatMap((trace) => trace[id]);
    const layout = {
      xaxis: axis("x", names[x] || "", along("x")), yaxis: axis("y", data.units[metric] || "", along("y")), annotations: labels,
      margin: { l: 60, r: 12, t: 12, b: 50 }, hovermode: "closest", dragmode: figure.clientWidth < 500 ? false : "zoom",
      font: { family: "system-ui, sans-serif", size: 13, color: "#1b1f24" }, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff",
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, itemclick: false, itemdoubleclick: false },
      hoverlabel: { align: "left", bgcolor: "#ffffff", bordercolor: "#666666", font: { size: 12, color: "#1b1f24" } },
      showlegend: true,
    };
    const config = {
      responsive: true, displayModeBar: figure.clientWidth >= 500, displaylogo: false, showLink: false, showSendToCloud: false, plotlyServerURL: "", showTips: false,
      modeBarButtonsToRemove: ["select2d", "lasso2d"], toImageButtonOptions: { format: "svg", filename: "figure" },
    };
    Plotly.react(figure, [...traces, ...lawsOf(curves, x)], layout, config);
    say(drawn, lost, marked, curves, x);
    filterTable();
    writeAddress();
  }

  function say(drawn, lost, marked, curves, x) {
    const told = [drawn === 1 ? "1 curve is drawn." : `${drawn} curves are drawn.`];
    if (lost) told.push(`${lost.toLocaleString("en")} points are not: a logarithmic axis has no place for 0 or less, or x is not known.`);
    if (marked) told.push("Short bars on the curves: N*, with its interval.");
    else if (element("thresholds").checked && x !== data.threshold_x && curves.some((curve) => curve.threshold[0] !== null)) {
      told.push(`N* is in ${names[data.threshold_x] || data.threshold_x}, and not marked along this axis.`);
    }
    told.push("Choose a point to see all settings of its run.");
    element("note").textContent = told.join(" ");
  }

  function filterTable() {
    const wanted = ticked(), study = element("study").value, each = element("subtasks").value === "each";
    let shown = 0;
    for (const row of document.querySelectorAll("#table tbody tr")) {
      const of = row.dataset;
      row.hidden = !wanted.has(of.verdict) || (study !== "" && of.study !== study) || (!each && of.subtask !== "all");
      shown += row.hidden ? 0 : 1;
    }
    element("no-rows").hidden = shown > 0;
  }

  function showRun(run) {
    const told = [
      ["study", coded(runs.study, run)], ["family", coded(runs.family, run)], ["task", coded(runs.task, run)],
      ...facts(run), ["device", coded(runs.device, run)],
      ...settings(run, [...varying, ...constant].filter((name) => name !== "family" && name !== "task")),
    ];
    element("run-id").textContent = runs.id[run];
    element("run-settings").replaceChildren(
      ...told.map(([name, text]) => {
        const pair = document.createElement("div"), term = document.createElement("dt"), value = document.createElement("dd");
        term.textContent = name;
        value.textContent = text;
        pair.append(term, value);
        return pair;
      }),
    );
    element("run").hidden = false;
  }

  makeControls();
  draw();
  figure.on("plotly_click", (event) => {
    const point = event.points.find((each) => each.customdata !== undefined);
    if (point) showRun(point.customdata);
  });
})();
