"use strict";

// The text of an article with its statements marked; every statement has a chip that takes the keyboard's focus.

stancewise.textPanel = (() => {
  const { KINDS, make, words, langOf, authorOr, wordOf, sureOf, unitsOf, detailsBox, carried } = stancewise;
  const LONG = 50_000; // characters from which on only the paragraphs in sight are laid out

  function textPanel({ articles, rows, state, options, id, announce }) {
    const title = make("h2", { id: `${id}-text` }, words("text"));
    const notes = make("div", { className: "notes" });
    const body = make("div", { className: "text", role: "region", "aria-labelledby": title.id });
    const element = make("section", { className: "reading" }, title, notes, body);
    const details = detailsBox(element, `${id}-details`);
    let drawn = null;
    body.addEventListener("pointerover", (event) => show(event.target.closest(".chip, mark"), event.clientY));
    body.addEventListener("pointerout", details.leave);
    body.addEventListener("focusin", (event) => show(event.target));
    body.addEventListener("focusout", details.hide);
    body.addEventListener("click", press);

    function update(shown) {
      if (drawn?.article !== state.article) draw();
      drawn.visible = new Set(shown);
      for (const mark of drawn.marks) paint(mark, rowsAt(mark));
      for (const [row, chip] of drawn.chips) chip.hidden = !drawn.visible.has(row);
      details.hide();
    }

    function draw() {
      const { text, notes: given, language, foreign } = articles[state.article];
      const found = rows.filter((row) => row.article === state.article);
      drawn = { article: state.article, ...marked(text, found) };
      body.lang = langOf(language);
      body.className = text.length > LONG ? "text long" : "text";
      body.replaceChildren(drawn.fragment);
      const none = found.length || foreign ? [] : [make("p", {}, words("no_positions"))];
      // Notes come from the reader of articles, which speaks English.
      notes.replaceChildren(...none, ...given.map((note) => make("p", { dir: "auto", lang: "en" }, note)));
    }

    function rowsAt(spot) {
      return (drawn.rows.get(spot) ?? []).filter((row) => drawn.visible.has(row));
    }

    function show(spot, pointer) {
      const found = rowsAt(spot);
      if (found.length) details.show(found, spot, pointer, drawn);
    }

    function press(event) {
      const chip = event.target.closest(".chip");
      if (!chip) return;
      show(chip); // a finger neither hovers nor, in some browsers, focuses
      const [row] = rowsAt(chip);
      if (options.explain && !row.statement.explanation && row.asked !== "…") ask(row, chip);
    }

    function ask(row, chip) {
      const answered = (asked, said) => {
        row.asked = asked;
        announce(said);
        if (details.beside(chip)) show(chip);
      };
      answered("…", words("asking"));
      options.explain(row.statement, articles[row.article]).then(
        (explanation) => {
          row.statement.explanation = explanation;
          if (explanation) answered("", carried(explanation));
          else answered(words("no_explanation"), words("nothing_to_explain"));
        },
        (error) => answered(error.message, error.message),
      );
    }

    function jump(row) {
      const chip = drawn.chips.get(row);
      chip.scrollIntoView({ block: "center" });
      // Paragraphs on the way get their true heights only now.
      requestAnimationFrame(() => {
        chip.scrollIntoView({ block: "center" });
        chip.focus({ preventScroll: true });
      });
    }
    return { element, update, jump };
  }

  /**
   * The text in paragraphs, cut wherever a statement begins or ends.
   *
   * {fragment, marks: [element], chips: row to element, rows: element to its rows, unit: code point to UTF-16 unit,
   * pieces: [[UTF-16 unit, text node]] in the order of the text}
   */
  function marked(text, found) {
    const unit = unitsOf(text);
    const result = { fragment: new DocumentFragment(), marks: [], chips: new Map(), rows: new Map(), unit, pieces: [] };
    const cuts = cutsOf(text, found, unit);
    const active = new Set();
    let paragraph = make("p", { dir: "auto" });
    let from = 0;
    for (const place of [...cuts.keys()].sort((one, other) => one - other)) {
      if (place > from) paragraph.append(piece(text.slice(from, place), from, [...active], result));
      const { opened, closed, ended, last } = cuts.get(place);
      for (const row of closed) active.delete(row);
      for (const row of ended) paragraph.append(chipOf(row, result));
      for (const row of opened) active.add(row);
      if (last) {
        result.fragment.append(paragraph);
        paragraph = make("p", { dir: "auto" });
      }
      from = place;
    }
    return result;
  }

  /** What happens where, by UTF-16 unit: statements opened and closed, sentences ended, the last of a paragraph. */
  function cutsOf(text, found, unit) {
    const cuts = new Map();
    const at = (place) => {
      if (!cuts.has(place)) cuts.set(place, { opened: [], closed: [], ended: [], last: false });
      return cuts.get(place);
    };
    for (const row of found) {
      const { content, sentence } = row.statement;
      for (const span of content.length ? content : [sentence]) {
        if (span.start >= span.end) continue;
        at(unit(span.start)).opened.push(row);
        at(unit(span.end)).closed.push(row);
      }
      const start = unit(sentence.start);
      at(start + text.slice(start, unit(sentence.end)).trimEnd().length).ended.push(row);
    }
    for (const { index, 0: ends } of text.matchAll(/(?:\r?\n)+/g)) at(index + ends.length).last = true;
    at(text.length).last = true;
    return cuts;
  }

  function piece(part, place, active, { marks, rows, pieces }) {
    const node = document.createTextNode(part);
    pieces.push([place, node]);
    if (!active.length) return node;
    const mark = make("mark", {}, node);
    marks.push(mark);
    rows.set(mark, active);
    return mark;
  }

  function chipOf(row, { chips, rows }) {
    const { speaker, target, stance } = row.statement;
    const { symbol } = KINDS[row.kind];
    const word = wordOf(row.kind);
    const sure = stance ? sureOf(row.statement) : "";
    const answer = row.kind === "abstained" ? `${word} (${words(stance.label)} ${sure})` : `${word} ${sure}`.trim();
    const label = words("chip", { answer, holder: authorOr(speaker), target });
    const chip = make("button", { type: "button", className: `chip badge ${row.kind}`, "aria-label": label }, symbol);
    chips.set(row, chip);
    rows.set(chip, [row]);
    return chip;
  }

  /** Support and criticism of the same words share their mark; neutrality and doubt give way to either. */
  function paint(mark, rows) {
    const kinds = Object.keys(KINDS).filter((kind) => rows.some((row) => row.kind === kind));
    mark.className = kinds.includes("support") && kinds.includes("criticism") ? "mixed" : (kinds[0] ?? "");
  }

  return textPanel;
})();
