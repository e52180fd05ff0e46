"use strict";

// A reply as a file: save.json and save.csv, made in the browser.

const save = {};

{
  const SPANS = { speaker: "speaker_mention", cue: "cue", target: "target_mention", sentence: "sentence" };

  save.json = (reply) => download(`${JSON.stringify(reply, null, 2)}\n`, "application/json", nameOf(reply, "json"));

  save.csv = (reply) => {
    const rows = reply.article.statements.map((statement) => row(reply.article, statement));
    const columns = [...new Set(rows.flatMap(Object.keys))];
    const lines = [columns, ...rows.map((one) => columns.map((column) => one[column]))];
    // With a byte order mark, without which spreadsheets take UTF-8 for something else.
    const text = `\ufeff${lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("")}`;
    download(text, "text/csv", nameOf(reply, "csv"));
  };

  /** A statement as flat columns; places are code points into the article's text. */
  function row(article, statement) {
    const flat = { article: article.name, speaker: statement.speaker, target: statement.target, kind: statement.kind };
    for (const head of ["stance", "sentiment"]) {
      flat[head] = statement[head]?.label;
      for (const [label, probability] of Object.entries(statement[head]?.probabilities ?? {})) {
        flat[`${head}_${label}`] = probability;
      }
    }
    flat.abstained = statement.abstained;
    flat.cue = statement.cue?.text;
    flat.sentence = statement.sentence.text;
    for (const [name, field] of Object.entries(SPANS)) {
      flat[`${name}_start`] = statement[field]?.start;
      flat[`${name}_end`] = statement[field]?.end;
    }
    return flat;
  }

  /** RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
  function cell(value) {
    if (typeof value !== "string") return value ?? "";
    const safe = /^[\s]*[=+\-@＝＋－＠]|^[\t\r]/u.test(value) ? `'${value}` : value;
    return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function nameOf({ article }, extension) {
    const base = (article.name ?? "article").replace(/\.(txt|md)$/i, "");
    return `${base}.stances.${extension}`;
  }

  function download(text, type, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}
