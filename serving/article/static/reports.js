"use strict";

// Several reports in the server's page: v1/reports reads files, v1/article labels one report after the other, v1/trend
// makes the trend of them. What is labelled once is kept until the page is closed.

const reports = {};

{
  const { make, tell, words } = stancewise;
  const box = document.getElementById("listed");
  const body = box.querySelector("tbody");
  const most = Number(document.body.dataset.bytes); // of a request: a server closes the connection on a larger one
  const kept = new Map(); // what was asked about a text -> its statements
  let files = [];

  reports.add = (more) => {
    files = [...files, ...more];
    list();
  };
  reports.clear = () => {
    files = [];
    list();
  };
  reports.empty = () => !files.length;

  function list() {
    const rows = files.map((file) => rowOf({ name: file.name, date: null, source: null }, "state_waiting"));
    show(rows);
    tell(document.getElementById("files-count"), "files_chosen", { count: files.length });
    document.getElementById("remove").hidden = !files.length;
  }

  function show(rows) {
    body.replaceChildren(...rows.map(({ line }) => line));
    box.hidden = !rows.length;
  }

  function rowOf({ name, date, source }, key) {
    const state = make("td", { className: "state" });
    const line = make(
      "tr",
      {},
      make("th", { scope: "row" }, make("bdi", { lang: "" }, name)),
      make("td", { dir: "ltr" }, date ?? "–"),
      make("td", {}, source ? make("bdi", { lang: "" }, source) : "–"),
      state,
    );
    if (key) tell(state, key);
    return { line, state };
  }

  /** Reasons come from the server, which speaks English. */
  function failed(state, reason) {
    state.classList.add("problem");
    delete state.dataset.words; // no translation
    state.replaceChildren(make("bdi", { lang: "en" }, reason));
  }

  /**
   * Reads the files and labels what they hold: {labelled: [report with statements], notes: [what was left out]}.
   *
   * talk.ask(path, body, options) and talk.labelled(query, signal, onProgress) are those of app.js, talk.stage(key,
   * values, done, total) is told how far it is.
   */
  reports.label = async (question, dates, talk, signal) => {
    const found = await read(dates, talk, signal);
    const undated = found.filter(({ report }) => !report.date);
    for (const { state } of undated) tell(state, "state_undated");
    const dated = found.filter(({ report }) => report.date).sort((one, other) => (one.report.date < other.report.date ? -1 : 1));
    const texts = new Set();
    const copies = dated.filter(({ report }) => {
      const text = report.text.split(/\s+/).join(" ").trim().toLowerCase();
      return texts.has(text) || !texts.add(text);
    });
    for (const { state } of copies) tell(state, "state_copy");
    const counted = dated.filter((row) => !copies.includes(row));
    const labelled = [];
    for (const [place, { report, state }] of counted.entries()) {
      talk.stage("report_of", { number: place + 1, count: counted.length }, place, counted.length);
      const statements = await label(report, state, question, talk, signal);
      const { name, date, source } = report;
      if (statements) labelled.push({ name, date, source, statements });
    }
    const bad = found.problems + counted.length - labelled.length;
    const notes = { note_undated: undated.length, note_copies: copies.length, note_failed: bad };
    const said = Object.entries(notes).filter(([, count]) => count);
    return { labelled, notes: said.map(([key, count]) => words(key, { count })) };
  };

  async function read(dates, { ask, stage }, signal) {
    const found = Object.assign([], { problems: 0 });
    const rows = [];
    const problem = (name, reason) => {
      const row = rowOf({ name, date: null, source: null });
      failed(row.state, reason);
      rows.push(row);
      found.problems += 1;
    };
    for (const [place, file] of files.entries()) {
      stage("file_of", { number: place + 1, count: files.length }, place, files.length);
      try {
        const query = { name: file.name, content: "", dates: dates || null };
        if (size(query) + (4 / 3) * file.size + 4 > most) {
          problem(file.name, words("state_large", { most }));
          show(rows);
          continue;
        }
        query.content = await base64(file);
        const reply = await patiently(() => ask("v1/reports", query, { signal }), signal);
        const { reports: inside, problems } = await reply.json();
        for (const report of inside) {
          const row = rowOf(report, "state_waiting");
          rows.push(row);
          found.push({ report, state: row.state });
        }
        for (const reason of problems) problem(file.name, reason);
      } catch (error) {
        if (![413, 422].includes(error.status)) throw error;
        problem(file.name, error.message);
      }
      show(rows);
    }
    return found;
  }

  /** The statements of a report; null where it cannot be read, as its row then says. */
  async function label({ name, text }, state, question, { labelled }, signal) {
    const query = { ...question, text, name: name.slice(0, 500) };
    const asked = JSON.stringify({ ...question, text });
    tell(state, "state_reading");
    box.scrollTop = state.offsetTop - box.clientHeight / 2; // the list alone, not the page under the reader's eyes
    try {
      if (!kept.has(asked)) {
        const progress = ({ stage, done, total }) => {
          if (stage === "reading" && done) tell(state, "read", { percent: Math.floor((100 * done) / total) });
        };
        const { article } = await patiently(() => labelled(query, signal, progress), signal);
        kept.set(asked, { statements: article.statements.map(slim), notes: article.notes });
      }
      const { statements, notes } = kept.get(asked);
      const many = { shown: statements.length, count: statements.length };
      delete state.dataset.words; // those of the element in it
      // Notes come from the reader of articles, which speaks English.
      const said = notes.flatMap((note) => [" · ", make("bdi", { lang: "en" }, note)]);
      state.replaceChildren(tell(make("span"), "statements_all", many), ...said);
      return statements;
    } catch (error) {
      if (![413, 422].includes(error.status)) {
        tell(state, "state_waiting");
        throw error;
      }
      failed(state, error.message);
      return null;
    }
  }

  const slim = ({ speaker, target, sentence, stance, language, foreign }) => ({
    ...{ speaker, target, language, foreign },
    sentence: { text: sentence.text },
    stance: stance && { label: stance.label, probabilities: stance.probabilities, abstained: stance.abstained },
  });

  /** A server that has too much to do is asked again when it says. */
  async function patiently(work, signal) {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error.status !== 429) throw error;
        await pause(error.retryAfter ?? 5, signal);
      }
    }
  }

  function pause(seconds, signal) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 1000 * seconds);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    });
  }

  const size = (query) => new Blob([JSON.stringify(query)]).size;

  function base64(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(file);
    });
  }

  /**
   * The view of a trend in a document that runs nothing: a browser makes one of what it is sent, but of no string.
   *
   * Rejects with {status, retryAfter} where the server refuses or would, with a TypeError where it does not answer.
   */
  reports.trend = (query, headers, signal) =>
    new Promise((resolve, reject) => {
      const refuse = (status, retryAfter = null) =>
        reject(Object.assign(new Error(words("status", { status })), { status, retryAfter }));
      if (size(query) > most) return refuse(413);
      const request = new XMLHttpRequest();
      request.open("POST", "v1/trend");
      request.responseType = "document";
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.onload = () => {
        if (request.status === 200 && request.response) return resolve(request.response);
        return refuse(request.status, Number(request.getResponseHeader("retry-after")) || null);
      };
      request.onerror = () => reject(new TypeError("the server does not answer"));
      request.onabort = () => reject(signal.reason);
      signal.addEventListener("abort", () => request.abort());
      return request.send(JSON.stringify(query));
    });
}
