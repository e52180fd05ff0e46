"use strict";

// Filters of the trends that serving/article/output/trend_page.py has drawn: stancewise.trend(element). All is in the
// page already; what does not fit the filters is hidden, and the charts show the periods that are left.

stancewise.trend = (() => {
  const { make, tell } = stancewise;
  const SVG = "http://www.w3.org/2000/svg";

  function trend(root) {
    const { periods, sources, mode, pairs } = JSON.parse(root.dataset.given);
    const bar = root.querySelector(".filters");
    const sections = [...root.querySelectorAll("section")].map(partsOf);
    const place = new Map(periods.map(([period], number) => [period, number]));
    const start = { source: mode, first: 0, last: periods.length - 1, name: "" };
    let state = { ...start };
    const controls = filters();
    if (pairs) change({});

    function filters() {
      const source = choice("trend_source", [
        ["all", tell(make("option"), "trend_all_sources")],
        ["each", tell(make("option"), "trend_each_source")],
        ...sources.map((name, number) => [
          number,
          name === null ? tell(make("option"), "trend_no_source") : make("option", { dir: "auto", lang: "" }, name),
        ]),
      ]);
      const names = () => periods.map(([period], number) => [number, make("option", { dir: "ltr" }, period)]);
      const first = choice("trend_first", names(), "when");
      const last = choice("trend_last", names(), "when");
      const name = make("input", { type: "search", autocomplete: "off", spellcheck: false, dir: "auto" });
      const status = make("p", { className: "status", role: "status" });
      const clear = tell(make("button", { type: "button" }), "clear_filters");
      source.input.onchange = () => change({ source: source.input.value });
      // The other end goes along where the two would change places.
      first.input.onchange = () =>
        change({ first: Number(first.input.value), last: Math.max(state.last, first.input.value) });
      last.input.onchange = () =>
        change({ last: Number(last.input.value), first: Math.min(state.first, last.input.value) });
      name.oninput = () => change({ name: name.value });
      clear.onclick = () => change(start);
      if (!pairs) return null;
      bar.setAttribute("role", "group");
      bar.dataset.wordsName = "filters";
      bar.append(
        ...(sources.length > 1 ? [source.label] : []),
        ...(periods.length > 1 ? [first.label, last.label] : []),
        labelled("trend_name", name),
        make("div", { className: "shown" }, status, clear),
      );
      return { source: source.input, first: first.input, last: last.input, name, status, clear };
    }

    function change(changes) {
      state = { ...state, ...changes };
      for (const [key, value] of Object.entries(state)) if (controls[key].value !== `${value}`) controls[key].value = value;
      controls.clear.setAttribute("aria-disabled", Object.keys(start).every((key) => state[key] === start[key]));
      root.classList.toggle("together", state.source === "all");
      const wanted = folded(state.name);
      const shown = sections.filter((section) => show(section, wanted));
      if (shown.length) tell(controls.status, "trend_shown", { shown: shown.length, count: pairs });
      else tell(controls.status, "trend_none_fits");
    }

    /** Shows what of a pair fits the filters, and whether any of it does. */
    function show(section, wanted) {
      const fits = !wanted || folded(section.names.textContent).includes(wanted);
      const counts = new Map();
      for (const row of section.rows) {
        const { period, source, statements } = row.dataset;
        row.hidden = !(within(period) && of(source));
        if (!row.hidden) counts.set(period, (counts.get(period) ?? 0) + Number(statements));
      }
      for (const { row, summary, items } of section.said) {
        row.hidden = !counts.has(row.dataset.period);
        if (row.hidden) continue;
        for (const one of items) one.hidden = !(state.source === one.dataset.source || /^(all|each)$/.test(state.source));
        const [shown, count] = [items.filter((one) => !one.hidden).length, counts.get(row.dataset.period)];
        tell(summary, shown < count ? "statements_some" : "statements_all", { shown, count });
      }
      for (const { figure, svg, marks } of section.figures) {
        for (const mark of marks) mark.toggleAttribute("hidden", !within(mark.dataset.period));
        figure.hidden = !(of(figure.dataset.source) && marks.some((mark) => !mark.hasAttribute("hidden")));
        if (!figure.hidden) spread(svg);
      }
      section.element.hidden = !(fits && counts.size);
      return !section.element.hidden;
    }

    function within(period) {
      return state.first <= place.get(period) && place.get(period) <= state.last;
    }

    function of(source) {
      return state.source === "each" ? source !== "all" : source === state.source;
    }

    /** Puts everything that has a day where it belongs when the plot begins and ends with the periods shown. */
    function spread(svg) {
      const [left, right] = svg.dataset.ends.split(" ").map(Number);
      const [first, last] = [periods[state.first][1], periods[state.last][1]];
      const across = (day) => (last > first ? left + ((right - left) * (day - first)) / (last - first) : (left + right) / 2);
      const names = svg.querySelectorAll(".when");
      const y = names[0].getAttribute("y");
      for (const one of names) one.remove();
      let free = -Infinity;
      for (const [period, day] of periods.slice(state.first, state.last + 1)) {
        if (across(day) < free) continue;
        free = across(day) + Number(svg.dataset.apart);
        const name = document.createElementNS(SVG, "text");
        for (const [key, value] of Object.entries({ class: "when", y, "text-anchor": "middle", "data-day": day })) {
          name.setAttribute(key, value);
        }
        name.textContent = period;
        svg.append(name);
      }
      for (const one of svg.querySelectorAll("[data-day]")) {
        one.setAttribute("transform", `translate(${across(Number(one.dataset.day)).toFixed(1)} 0)`);
      }
      const change = svg.querySelector(".change");
      change?.toggleAttribute("hidden", !(first < change.dataset.day && change.dataset.day <= last));
    }

    // A mark leads to the sentences behind it.
    root.addEventListener("click", ({ target }) => {
      const mark = target.closest("svg [data-period]");
      if (!mark) return;
      const row = mark.closest("section").querySelector(`.said[data-period="${mark.dataset.period}"]`);
      if (!row) return;
      row.querySelector("details").open = true;
      row.scrollIntoView({ block: "nearest" });
      row.querySelector("summary").focus({ preventScroll: true });
    });
  }

  /** What the filters hide and show of a pair; asked for once, since there may be many. */
  function partsOf(element) {
    return {
      element,
      names: element.querySelector("h3"),
      rows: [...element.querySelectorAll("tbody tr:not(.said)")],
      said: [...element.querySelectorAll(".said")].map((row) => ({
        row,
        summary: row.querySelector("summary"),
        items: [...row.querySelectorAll("li")],
      })),
      figures: [...element.querySelectorAll("figure")].map((figure) => ({
        figure,
        svg: figure.querySelector("svg"),
        marks: [...figure.querySelectorAll("[data-period]")],
      })),
    };
  }

  function choice(key, options, className = "") {
    const input = make("select", { className });
    for (const [value, option] of options) {
      option.value = value;
      input.append(option);
    }
    return { input, label: labelled(key, input) };
  }

  const labelled = (key, input) => make("label", {}, tell(make("span"), key), input);

  /** Without case, accents and marks that nobody types. */
  const folded = (text) =>
    text
      .normalize("NFKD")
      .replace(/[\p{M}\p{Cf}]/gu, "")
      .toLowerCase()
      .trim();

  return trend;
})();
