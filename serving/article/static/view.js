"use strict";

// Labelled articles in a page: stancewise.view(container, {articles, pairs}, options). The last of the scripts that
// page.py names.
//
// articles and pairs are the JSON of serving/article/statements.py and summary.py. options.explain(statement, article),
// if given, promises the explanation of a statement that has none; it is asked for when a chip is pressed.
// options.correct(statement, lang), if given, lets the reader put a label right; a button in each row of the table
// calls it. Every text enters the page as a text node. What view() returns is what is chosen in it: as options.state it makes the view of
// another language show the same.

stancewise.view = (() => {
  const { rowOf, tally, frequent, make, words, count, wordOf, authorOr, badge, nameOf } = stancewise;
  let views = 0;

  function view(container, { articles, pairs }, options = {}) {
    const rows = articles.flatMap(({ statements, language }, number) =>
      statements.map((one) => rowOf(one, number, language)),
    );
    const state = options.state ?? { article: 0, holder: null, target: null, off: new Set() };
    const status = make("p", { className: "status", role: "status" });
    const spoken = make("p", { className: "hidden", role: "status" });
    const announce = (said) => (spoken.textContent = said);
    const shared = {
      articles,
      pairs,
      rows,
      state,
      options,
      change,
      next,
      announce,
      status,
      id: `stancewise-${(views += 1)}`,
    };
    const text = articles.length ? stancewise.textPanel(shared) : null;
    const counted = rows.length ? [stancewise.matrix(shared), text, stancewise.statementTable(shared, jump)] : [text];
    const parts = [filters(shared), ...counted].filter(Boolean);
    let last = null;
    container.replaceChildren(make("div", { className: "stancewise" }, ...parts.map((part) => part.element), spoken));
    change({});
    return state;

    function change(changes) {
      Object.assign(state, changes);
      const shown = rows.filter((row) => fits(row, state));
      for (const part of parts) part.update(shown);
      const here = shown.filter((row) => row.article === state.article).length;
      const key = shown.length < rows.length ? "statements_some" : "statements_all";
      const statements = words(key, { shown: shown.length, count: rows.length });
      status.textContent = articles.length > 1 ? words("in_this_text", { statements, number: here }) : statements;
    }

    /** Leads through the statements that fit the filters, one press after the other. */
    function next() {
      const shown = rows.filter((row) => fits(row, state));
      if (shown.length) jump(shown[(shown.indexOf(last) + 1) % shown.length]);
    }

    function jump(row) {
      last = row;
      if (row.article !== state.article) change({ article: row.article });
      text.jump(row);
    }
  }

  function fits(row, { holder, target, off }) {
    return (holder ?? row.holder) === row.holder && (target ?? row.target) === row.target && !off.has(row.kind);
  }

  /** Choices of article, holder, target and stances, and how many statements fit them. */
  function filters({ articles, rows, state, status, change, next }) {
    const article = choice(
      words("article"),
      articles.map((one, place) => [nameOf(one, place), one.statements.length]),
    );
    article.select.onchange = () => change({ article: Number(article.select.value) });
    const names = ["holder", "target"].map((field) => {
      const found = frequent(rows, field);
      const lines = found.map(({ name, many }) => [authorOr(name), many]);
      const one = choice(words(field), lines, words(`all_${field}s`));
      one.select.onchange = () => change({ [field]: found[one.select.value]?.key ?? null });
      return { ...one, show: () => (one.select.value = found.findIndex(({ key }) => key === state[field])) };
    });
    const kinds = tally(rows).map(([kind]) => kindBox(kind, state, change));
    const legend = make("legend", { className: "hidden" }, words("stances"));
    const clear = make("button", { type: "button" }, words("clear_filters"));
    clear.onclick = () => change({ holder: null, target: null, off: new Set() });
    const onward = make("button", { type: "button", onclick: next }, words("next_in_text"));
    const some = rows.length > 0;
    const element = make(
      "div",
      { className: "filters", role: "group", "aria-label": words("filters") },
      articles.length > 1 ? article.label : null,
      ...(some ? names.map((one) => one.label) : []),
      some ? make("fieldset", {}, legend, ...kinds.map((one) => one.label)) : null,
      make("div", { className: "shown" }, status, ...(some ? [onward, clear] : [])),
    );

    // What sticks below the bar has to know how high it is.
    new ResizeObserver(() => element.parentElement?.style.setProperty("--bar", `${element.offsetHeight}px`)).observe(
      element,
    );

    function update() {
      article.select.value = state.article;
      for (const one of names) one.show();
      const counts = new Map(tally(rows.filter((row) => fits(row, { ...state, off: new Set() }))));
      for (const one of kinds) one.show(counts);
      // Not disabled: a button that is disabled under the finger loses the keyboard's place.
      clear.setAttribute("aria-disabled", state.holder === null && state.target === null && !state.off.size);
    }
    return { element, update };
  }

  /** A labelled list of [name, many]; `all`, if given, stands before it with the value -1. */
  function choice(label, lines, all) {
    const options = lines.map(([name, many], place) =>
      make("option", { value: place, dir: "auto" }, `${name} (${count(many)})`),
    );
    const select = make("select", {}, all ? make("option", { value: -1 }, all) : null, ...options);
    return { select, label: make("label", { className: "choice" }, make("span", {}, label), select) };
  }

  function kindBox(kind, state, change) {
    const box = make("input", { type: "checkbox" });
    const many = make("span", { className: "number" });
    box.onchange = () => {
      const off = new Set(state.off);
      if (box.checked) off.delete(kind);
      else off.add(kind);
      change({ off });
    };
    function show(counts) {
      box.checked = !state.off.has(kind);
      many.textContent = count(counts.get(kind) ?? 0);
    }
    return { show, label: make("label", { className: kind }, box, badge(kind), wordOf(kind), " ", many) };
  }

  return view;
})();
