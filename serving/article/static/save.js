"use strict";

// What the server answered as a file: save.json and save.csv of an article, made in the browser (the CSV is that of
// `python -m serving article`), and save.page of a trend.

const save = {};

{
  const COLUMNS = [
    ...["article", "kind", "speaker", "speaker_start", "speaker_end", "cue", "cue_start", "cue_end"],
    ...["target", "target_start", "target_end", "content", "sentence", "sentence_start", "sentence_end"],
    ...["stance", "stance_probabilities", "sentiment", "sentiment_probabilities", "abstained"],
    ...["language", "sureness"],
  ];

  save.json = (reply) => download(`${JSON.stringify(reply, null, 2)}\n`, "application/json", nameOf(reply, "json"));

  save.csv = (reply) => {
    const rows = reply.article.statements.map((statement) => row(reply.article, statement));
    const lines = [COLUMNS, ...rows.map((one) => COLUMNS.map((column) => one[column]))];
    // With a byte order mark, without which spreadsheets take UTF-8 for something else.
    const text = `\ufeff${lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("")}`;
    download(text, "text/csv", nameOf(reply, "csv"));
  };

  save.page = (html) => download(html, "text/html", "trend.html");

  /** A statement as flat columns; offsets are code points into the article's text. */
  function row(article, statement) {
    const { kind, speaker, cue, target, content, sentence, stance, sentiment } = statement;
    const { abstained, language, sureness } = statement;
    return {
      ...{ article: article.name, kind, speaker, cue: cue?.text, target, sentence: sentence.text },
      ...{ abstained, language, sureness },
      ...place("speaker", statement.speaker_mention),
      ...place("cue", cue),
      ...place("target", statement.target_mention),
      ...place("sentence", sentence),
      content: content.map(({ start, end }) => [start, end]),
      ...{ stance: stance?.label, stance_probabilities: stance?.probabilities },
      ...{ sentiment: sentiment?.label, sentiment_probabilities: sentiment?.probabilities },
    };
  }

  const place = (name, span) => ({ [`${name}_start`]: span?.start, [`${name}_end`]: span?.end });

  /** Quoted as in RFC 4180; before what a spreadsheet would calculate stands an apostrophe. */
  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "boolean") return value ? "True" : "False";
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function nameOf({ article }, extension) {
    return `${(article.name ?? "article").replace(/\.(txt|md)$/i, "")}.stances.${extension}`;
  }

  function download(text, type, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}
