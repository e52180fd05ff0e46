"use strict";

// What the parts of the view share. The scripts are loaded in the order of serving/article/page.py.

globalThis.stancewise = (() => {
  const KINDS = {
    support: { symbol: "+", word: "support" },
    criticism: { symbol: "−", word: "criticism" },
    neutrality: { symbol: "○", word: "neutrality" },
    abstained: { symbol: "?", word: "unsure" },
    none: { symbol: "·", word: "no stance" }, // the model was not trained for stances
  };
  const AUTHOR = "The author";

  /** A statement with its place and what it is filtered by; names are compared without regard to case. */
  function rowOf(statement, article) {
    const kind = !statement.stance ? "none" : statement.stance.abstained ? "abstained" : statement.stance.label;
    const holder = statement.speaker === null ? "" : statement.speaker.toLowerCase();
    return { statement, article, kind, holder, target: statement.target.toLowerCase() };
  }

  /** The kinds that occur and how often: [[kind, many]]. */
  function tally(rows) {
    const counts = new Map();
    for (const row of rows) counts.set(row.kind, (counts.get(row.kind) ?? 0) + 1);
    return Object.keys(KINDS).flatMap((kind) => (counts.has(kind) ? [[kind, counts.get(kind)]] : []));
  }

  /** Holders or targets, those with most statements first: [{key, name, many}]. */
  function frequent(rows, field) {
    const found = new Map();
    for (const row of rows) {
      const name = field === "holder" ? row.statement.speaker : row.statement.target;
      if (!found.has(row[field])) found.set(row[field], { key: row[field], name, many: 0 });
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

  // A name may be of any script: <bdi> keeps its direction to itself.
  const named = (name) => make("bdi", name === null ? { className: "author" } : {}, name ?? AUTHOR);
  const badge = (kind) => make("span", { className: `badge ${kind}`, "aria-hidden": "true" }, KINDS[kind].symbol);
  const count = (number) => number.toLocaleString("en");
  const fixed = (number) => number.toFixed(2).replace("-", "−");

  /** How sure a statement's stance is: that the position is taken and is this one, where a reader says so. */
  const sureOf = ({ stance, sureness }) => fixed(sureness ?? stance.probabilities[stance.label]);

  const nameOf = (article, place) => article.name ?? `Article ${place + 1}`;

  return { KINDS, AUTHOR, rowOf, tally, frequent, unitsOf, make, named, badge, count, fixed, sureOf, nameOf };
})();
