"use strict";

// What the parts of the view share. The scripts are loaded in the order of serving/article/page.py.

Object.assign(
  stancewise,
  (() => {
    const { words, worded, fixed } = stancewise;
    const KINDS = {
      support: { symbol: "+", key: "support" },
      criticism: { symbol: "−", key: "criticism" },
      neutrality: { symbol: "○", key: "neutrality" },
      abstained: { symbol: "?", key: "unsure" },
      none: { symbol: "·", key: "no_stance" }, // the model was not trained for stances
    };

    /** A statement with its place and what it is filtered by; names are compared without regard to case. */
    function rowOf(statement, article, language) {
      const kind = !statement.stance ? "none" : statement.stance.abstained ? "abstained" : statement.stance.label;
      const holder = statement.speaker === null ? "" : statement.speaker.toLowerCase();
      const lang = langOf(language);
      return { statement, article, lang, kind, holder, target: statement.target.toLowerCase() };
    }

    // Where it is unknown, "" keeps a screen reader from taking it for that of the page.
    const langOf = (language) => (language === "unknown" ? "" : language);

    /** The kinds that occur and how often: [[kind, many]]. */
    function tally(rows) {
      const counts = new Map();
      for (const row of rows) counts.set(row.kind, (counts.get(row.kind) ?? 0) + 1);
      return Object.keys(KINDS).flatMap((kind) => (counts.has(kind) ? [[kind, counts.get(kind)]] : []));
    }

    /** Holders or targets, those with most statements first: [{key, name, lang, many}]. */
    function frequent(rows, field) {
      const found = new Map();
      for (const row of rows) {
        const name = field === "holder" ? row.statement.speaker : row.statement.target;
        if (!found.has(row[field])) found.set(row[field], { key: row[field], name, lang: row.lang, many: 0 });
        found.get(row[field]).many += 1;
      }
      return [...found.values()].sort((one, other) => other.many - one.many);
    }

    /** Code points, in which the data count, to UTF-16 units, in which strings do. */
    function unitsOf(text) {
      if (!/[\ud800-\udbff]/.test(text)) return (place) => Math.min(place, text.length);
      const units = [0];
      for (const character of text) units.push(units[units.length - 1] + character.length);
      return (place) => units[Math.min(place, units.length - 1)];
    }

    /** An element; strings among the children become text nodes, null is left out. */
    function make(tag, properties = {}, ...children) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(properties)) {
        if (name in element) element[name] = value;
        else element.setAttribute(name, value);
      }
      element.append(...children.filter((child) => child !== null));
      return element;
    }

    /** Puts the words of the reader's language wherever an element names them, in data-words and data-words-name. */
    function translate(root) {
      const of = ({ dataset }, key) => worded(key, JSON.parse(dataset.values ?? "{}"));
      for (const one of root.querySelectorAll("[data-words]")) one.replaceChildren(...of(one, one.dataset.words));
      for (const one of root.querySelectorAll("[data-words-name]")) {
        one.setAttribute("aria-label", of(one, one.dataset.wordsName).join(""));
      }
    }

    /** Gives an element words, which `translate` puts again in another language. */
    function tell(element, key, values = {}) {
      Object.assign(element.dataset, { words: key, values: JSON.stringify(values) });
      element.replaceChildren(...worded(key, values));
      return element;
    }

    // A name may be of any script: <bdi> keeps its direction to itself.
    const named = (name, lang) =>
      name === null ? make("bdi", { className: "author" }, authorOr(name)) : make("bdi", { lang }, name);
    const authorOr = (name) => name ?? words("author");
    const wordOf = (kind) => words(KINDS[kind].key);
    const badge = (kind) => make("span", { className: `badge ${kind}`, "aria-hidden": "true" }, KINDS[kind].symbol);

    /** How sure a statement's stance is: that the position is taken and is this one, where a reader says so. */
    const sureOf = ({ stance, sureness }) => fixed(sureness ?? stance.probabilities[stance.label]);

    const nameOf = (article, place) => article.name ?? words("article_number", { number: place + 1 });

    const said = { named, authorOr, wordOf, badge, sureOf, nameOf, translate, tell };
    return { KINDS, langOf, rowOf, tally, frequent, unitsOf, make, ...said };
  })(),
);
