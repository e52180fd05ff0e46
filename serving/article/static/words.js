"use strict";

// What the page says, in the reader's language: one table per language lies in words/ and comes before this script.
// The language is the one that the reader chose here before, else the first of the browser's that has a table.

Object.assign(
  stancewise,
  (() => {
    const { tables } = stancewise;
    const CHOICE = "stancewise-language";
    const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
    const followers = [];
    let language, plural, whole, hundredths;
    use([chosen(), ...navigator.languages].map(baseOf).find((one) => Object.hasOwn(tables, one)) ?? "en");

    function baseOf(tag) {
      return (tag ?? "").toLowerCase().split("-")[0];
    }

    // A browser may refuse to keep anything, and says so by an error.
    function chosen() {
      try {
        return localStorage.getItem(CHOICE);
      } catch {
        return null;
      }
    }

    function choose(code) {
      try {
        localStorage.setItem(CHOICE, code);
      } catch {
        // Then the choice lasts until the page is closed.
      }
      use(code);
      for (const render of followers) render();
    }

    function use(code) {
      language = code;
      plural = new Intl.PluralRules(code);
      const digits = { numberingSystem: "latn" }; // those of the article's offsets and of every download
      whole = new Intl.NumberFormat(code, digits);
      const places = { minimumFractionDigits: 2, maximumFractionDigits: 2, useGrouping: false };
      hundredths = new Intl.NumberFormat(code, { ...digits, ...places });
      document.documentElement.lang = code;
      document.documentElement.dir = tables[code].direction;
    }

    /** Calls `render` now, and again whenever another language is chosen. */
    function follow(render) {
      followers.push(render);
      render();
    }

    const count = (number) => whole.format(number);
    const fixed = (number) => hundredths.format(number).replace("-", "−");

    /** The words of a key as strings and, where a value is an element, that element; `count` chooses the plural. */
    function worded(key, values = {}) {
      const entry = tables[language][key];
      const text = typeof entry === "string" ? entry : (entry[plural.select(values.count)] ?? entry.other);
      return text.split(/\{(\w+)\}/).map((part, place) => (place % 2 ? put(values[part]) : part));
    }

    const words = (key, values) => worded(key, values).join("");

    /** A name or a text of the other direction keeps it to itself, between invisible marks. */
    function put(value) {
      if (typeof value === "number") return count(value);
      if (typeof value !== "string") return value;
      return tables[language].direction === "rtl" || FROM_RIGHT.test(value) ? `\u2068${value}\u2069` : value;
    }

    /** The list of languages, each named in itself. */
    function languageChoice() {
      const label = document.createElement("label");
      const title = document.createElement("span");
      const select = document.createElement("select");
      label.className = "language";
      for (const [code, { name }] of Object.entries(tables)) {
        const option = new Option(name, code);
        option.lang = code;
        select.append(option);
      }
      select.onchange = () => choose(select.value);
      label.append(title, " ", select);
      follow(() => {
        title.textContent = words("language");
        select.value = language;
      });
      return label;
    }

    return { words, worded, count, fixed, follow, languageChoice };
  })(),
);
