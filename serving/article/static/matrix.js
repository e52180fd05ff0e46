"use strict";

// Holders by targets with counts per stance, over all articles; a press filters.

stancewise.matrix = (() => {
  const { KINDS, make, words, count, fixed, named, authorOr, wordOf, tally, frequent } = stancewise;
  const SHOWN = { holder: 25, target: 12 }; // at first, and more by request: thousands of cells would freeze the page
  const WIDE = 7; // targets whose names fit beside each other

  function matrix({ rows, pairs, state, change, id }) {
    const names = { holder: frequent(rows, "holder"), target: frequent(rows, "target") };
    const shown = { ...SHOWN };
    const means = new Map(
      pairs.map((pair) => [keyOf(pair.speaker?.toLowerCase() ?? "", pair.target.toLowerCase()), pair]),
    );
    const title = make("h2", { id: `${id}-matrix` }, words("matrix"));
    const hint = make("p", { className: "hint" }, words("matrix_hint"));
    const box = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-labelledby": title.id });
    const more = make("p", { className: "more" });
    const element = make("section", { className: "matrix" }, title, hint, box, more);

    function update(fitting) {
      const place = element.contains(document.activeElement) ? document.activeElement.dataset.place : null;
      const found = byPair(rows.filter((row) => !state.off.has(row.kind)));
      const across = firstOf("target", fitting);
      const head = make("tr", {}, make("td", { className: "corner" }), ...across.map((one) => header("target", one)));
      const lines = firstOf("holder", fitting).map((holder) => {
        const cells = across.map((target) => cell(holder, target, found.get(keyOf(holder.key, target.key))));
        return make("tr", {}, header("holder", holder), ...cells);
      });
      const table = make(
        "table",
        { "aria-labelledby": title.id },
        make("thead", {}, head),
        make("tbody", {}, ...lines),
      );
      table.className = across.length > WIDE ? "dense" : "";
      box.replaceChildren(table);
      more.replaceChildren(...["holder", "target"].filter((field) => names[field].length > shown[field]).map(moreOf));
      // The table is new; the keyboard stays where it was.
      if (place) element.querySelector(`[data-place="${place}"]`)?.focus({ preventScroll: true });
    }

    /** The most frequent; where not all are shown, those of the statements that fit the filters stand first. */
    function firstOf(field, fitting) {
      if (names[field].length <= shown[field]) return names[field];
      const keys = new Set(fitting.map((row) => row[field]));
      const parted = [
        ...names[field].filter(({ key }) => keys.has(key)),
        ...names[field].filter(({ key }) => !keys.has(key)),
      ];
      return parted.slice(0, shown[field]);
    }

    function header(field, { key, name, lang }) {
      const pressed = state[field] === key;
      const title = authorOr(name);
      const button = make("button", { type: "button", "aria-pressed": pressed, title }, named(name, lang));
      button.dataset.place = `${field} ${names[field].findIndex((one) => one.key === key)}`;
      button.onclick = () => change({ [field]: pressed ? null : key });
      return make("th", { scope: field === "holder" ? "row" : "col" }, button);
    }

    function cell(holder, target, found) {
      if (!found) return make("td");
      const counts = tally(found);
      const pressed = state.holder === holder.key && state.target === target.key;
      const other = (state.holder ?? holder.key) !== holder.key || (state.target ?? target.key) !== target.key;
      const label = labelOf(holder, target, counts, means.get(keyOf(holder.key, target.key)));
      const button = make("button", { type: "button", "aria-pressed": pressed, "aria-label": label, title: label });
      button.className = other ? "cell other" : "cell";
      button.dataset.place = `${names.holder.indexOf(holder)} ${names.target.indexOf(target)}`;
      const chips = counts.map(([kind, many]) =>
        make("span", { className: kind, dir: "ltr" }, `${KINDS[kind].symbol}${count(many)}`),
      );
      button.append(...chips);
      button.style.setProperty("--shares", sharesOf(counts, found.length));
      button.onclick = () =>
        change(pressed ? { holder: null, target: null } : { holder: holder.key, target: target.key });
      return make("td", {}, button);
    }

    function moreOf(field) {
      const label = words(`more_${field}s`, { shown: shown[field], count: names[field].length });
      const button = make("button", { type: "button" }, label);
      button.dataset.place = `more ${field}`;
      button.onclick = () => {
        shown[field] += SHOWN[field];
        change({});
      };
      return button;
    }
    return { element, update };
  }

  const keyOf = (holder, target) => `${holder}\n${target}`;

  function byPair(rows) {
    const found = new Map();
    for (const row of rows) {
      const key = keyOf(row.holder, row.target);
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(row);
    }
    return found;
  }

  function labelOf(holder, target, counts, pair) {
    const each = counts.map(([kind, many]) => words("counted", { count: many, label: wordOf(kind) }));
    const said = { holder: authorOr(holder.name), target: target.name, counts: each.join(words("comma")) };
    if (!pair?.stance) return words("cell", said);
    return words("cell_mean", { ...said, stance: words(pair.stance), probability: fixed(pair.probability) });
  }

  /** Stops of a gradient: every kind takes its share of the cell. */
  function sharesOf(counts, all) {
    let at = 0;
    const stops = counts.map(([kind, many]) => `var(--${kind}-tint) ${at}% ${(at += (100 * many) / all)}%`);
    const end = document.documentElement.dir === "rtl" ? "left" : "right";
    return `linear-gradient(to ${end}, ${stops.join(", ")})`;
  }

  return matrix;
})();
