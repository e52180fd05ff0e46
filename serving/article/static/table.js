"use strict";

// The statements as a table; a row leads to its place in the text.

stancewise.statementTable = (() => {
  const { make, words, fixed, named, authorOr, wordOf, badge, sureOf, nameOf } = stancewise;
  const PAGE = 100; // rows shown at first, and more by request

  function statementTable({ articles, rows, options, id }, jump) {
    const several = articles.length > 1;
    const title = make("h2", { id: `${id}-table` }, words("statements"));
    const columns = [...(several ? ["article"] : []), "holder", "target", "cue", "stance", "sentiment", "evidence"];
    if (options.correct) columns.push("correct");
    const head = make("tr", {}, ...columns.map((key) => make("th", { scope: "col" }, words(key))));
    const body = make("tbody", { role: "rowgroup" });
    // On a narrow screen the rows are laid out as cards, which would cost a table its roles: they are given in words.
    const table = make("table", { role: "table", "aria-labelledby": title.id }, make("thead", {}, head), body);
    const box = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-labelledby": title.id }, table);
    const none = make("p", { className: "hint" }, words("none_fits"));
    const more = make("button", { type: "button" });
    const element = make(
      "section",
      { className: "statements" },
      title,
      box,
      none,
      make("p", { className: "more" }, more),
    );
    const byLine = new Map();
    let listed = [];
    more.onclick = extend;
    body.addEventListener("click", (event) => {
      const row = byLine.get(event.target.closest("tr"));
      if (event.target.closest(".correct")) return options.correct(row.statement, row.lang);
      // Selecting words of a row is no wish to leave it.
      if (getSelection().isCollapsed || event.target.closest("button")) jump(row);
    });

    function update(shown) {
      listed = shown;
      byLine.clear();
      body.replaceChildren();
      box.hidden = !shown.length;
      none.hidden = shown.length > 0;
      extend();
    }

    function extend() {
      const next = listed.slice(body.rows.length, body.rows.length + PAGE);
      const lines = new DocumentFragment();
      for (const row of next) {
        const line = lineOf(row);
        byLine.set(line, row);
        lines.append(line);
      }
      const [opening] = next;
      const first = lines.firstChild;
      const focused = document.activeElement === more;
      body.append(lines);
      more.hidden = body.rows.length >= listed.length;
      more.textContent = words("more_statements", { shown: body.rows.length, count: listed.length });
      if (focused && opening && more.hidden) first.querySelector("button").focus();
    }

    function lineOf({ statement, kind, article, lang }) {
      const { speaker, target, cue, sentence } = statement;
      const cells = [
        make("td", { className: "name", role: "cell" }, named(speaker, lang)),
        make("td", { className: "name", role: "cell", "data-on": words("on") }, named(target, lang)),
        make("td", { className: "cue", role: "cell" }, cue ? make("bdi", { lang }, cue.text) : "–"),
        make("td", { className: "answer", role: "cell" }, badge(kind), ...stanceOf(statement, wordOf(kind))),
        make("td", { className: "answer", role: "cell" }, ...answer(statement.sentiment)),
        make(
          "td",
          { className: "evidence", role: "cell" },
          make("button", { type: "button", dir: "auto", lang }, sentence.text),
        ),
      ];
      if (options.correct) {
        const name = words("correct_one", { holder: authorOr(speaker), target });
        const button = make("button", { type: "button", className: "correct", "aria-label": name }, words("correct"));
        cells.push(make("td", { role: "cell" }, button));
      }
      if (several)
        cells.unshift(
          make("td", { className: "source", role: "cell" }, make("bdi", {}, nameOf(articles[article], article))),
        );
      return make("tr", { role: "row" }, ...cells);
    }

    function stanceOf(statement, word) {
      return statement.stance ? [word, " ", make("span", { className: "number" }, sureOf(statement))] : [word];
    }

    /** A head's word and probability; a question mark where it is too unsure. */
    function answer(head) {
      if (!head) return ["–"];
      const word = words(head.label);
      return [head.abstained ? `? ${word}` : word, " ", make("span", { className: "number" }, fixed(head.probabilities[head.label]))];
    }
    return { element, update };
  }

  return statementTable;
})();
