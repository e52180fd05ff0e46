"use strict";

// The page in the server: a text goes to v1/article, its labelled statements come back and are shown by view.js. Of
// several reports (reports.js) the trend is shown.
// Texts enter the page as text nodes only.

{
  const at = (id) => document.getElementById(id);
  const most = Number(document.body.dataset.characters);
  const correctable = document.body.dataset.corrections === "true";
  const { words, worded, make } = stancewise;
  let running = null; // AbortController of the request on its way
  let result = null; // the last reply
  let earlier = null; // the text that a file took the place of
  let ticking = null;
  let model = null;
  let said = null; // the message that stands there, as worded() takes it
  let shown = null; // what is chosen in the view of the result
  let corrected = null; // the statement in the dialog
  let trend = null; // what the last trend was asked for with
  const several = () => at("several").checked;

  // ---- Talking to the server

  class Refusal extends Error {
    constructor(status, body, retryAfter) {
      super(body.error ?? words("status", { status }));
      this.inEnglish = Boolean(body.error);
      this.status = status;
      this.retryAfter = retryAfter;
    }
  }

  function headers(more = {}) {
    const key = at("key").value.trim();
    return key ? { ...more, authorization: `Bearer ${key}` } : more;
  }

  async function ask(path, body, { accept = "application/json", signal } = {}) {
    const asked = body
      ? { method: "POST", body: JSON.stringify(body), headers: headers({ "content-type": "application/json", accept }) }
      : { headers: headers({ accept }) };
    const response = await fetch(path, { ...asked, signal });
    if (response.ok) return response;
    const said = await response.json().catch(() => ({}));
    throw new Refusal(response.status, said, Number(response.headers.get("retry-after")) || null);
  }

  async function labelled(query, signal, onProgress) {
    const response = await ask("v1/article", query, { accept: "application/x-ndjson", signal });
    for await (const { progress, error, result: found } of lines(response.body)) {
      if (progress) onProgress(progress);
      if (error) throw new Refusal(error.status, error, error.retry_after);
      if (found) return found;
    }
    throw new TypeError("the connection ended before the result came");
  }

  /** JSON values, one a line, as they arrive. */
  async function* lines(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let parts = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const pieces = value.split("\n");
      for (const piece of pieces.slice(0, -1)) {
        yield JSON.parse([...parts, piece].join(""));
        parts = [];
      }
      parts.push(pieces.at(-1));
    }
  }

  async function showModel() {
    try {
      model = await (await ask("v1/model")).json();
      describeModel();
    } catch (problem) {
      if (problem.status === 401) askForKey();
      else if (problem.status === 503) setTimeout(showModel, 2000); // it is being loaded
    }
  }

  function describeModel() {
    const { name, version, run_id: run, runtime } = model;
    const named = version ? words("model_version", { name, version }) : name;
    const parts = [named, run && words("model_run", { run: run.slice(0, 8) }), runtime];
    at("model").textContent = parts.filter(Boolean).join(" · ");
  }

  // ---- Labelling

  async function label() {
    if (running) return;
    if (several()) return labelReports();
    const text = wellFormed(at("text").value);
    const size = characters(text);
    if (!text.trim()) return say("no_text", {}, { problem: true, focus: "text" });
    if (size > most) return say("too_long", { count: size, most }, { problem: true, focus: "text" });
    running = new AbortController();
    begin();
    try {
      const name = at("file-name").textContent || null;
      result = await labelled({ text, name, targets: targets(), all: at("all").checked }, running.signal, showProgress);
      end();
      showResult();
    } catch (problem) {
      end();
      explainProblem(problem);
    }
  }

  async function labelReports() {
    if (reports.empty()) return say("no_reports", {}, { problem: true, focus: "choose" });
    running = new AbortController();
    const { signal } = running;
    begin();
    try {
      const question = { targets: targets(), all: at("all").checked };
      const talk = { ask, labelled, stage: showStage };
      const { labelled: found, notes } = await reports.label(question, at("dates").value, talk, signal);
      if (found.length) {
        showStage("trend_counting");
        const query = { reports: found, period: at("period").value, notes };
        const accepted = headers({ "content-type": "application/json", accept: "text/html" });
        const page = await reports.trend({ ...query, only_view: true }, accepted, signal);
        trend = query;
        showTrend(page.querySelector(".trend"));
      }
      end();
      if (!found.length) say("none_dated", {}, { problem: true, focus: "choose" });
      else at("trend-title").focus();
    } catch (problem) {
      end();
      explainProblem(problem);
    }
  }

  function showTrend(view) {
    at("trend-view").replaceChildren(document.adoptNode(view));
    stancewise.trend(view);
    stancewise.tell(at("trend-title"), `trend_title_${trend.period}`);
    stancewise.translate(view);
    say("labelled_reports", { count: trend.reports.length }, { stage: "done" });
    document.body.classList.add("answered");
    at("input").open = false;
    showMode();
  }

  async function savePage() {
    try {
      save.page(await (await ask("v1/trend", trend, { accept: "text/html" })).text());
    } catch (problem) {
      explainProblem(problem);
    }
  }

  /** What belongs to one text, or to several reports. */
  function showMode() {
    at("text-field").hidden = several();
    at("reports-field").hidden = !several();
    at("result").hidden = several() || !result;
    at("trend").hidden = !several() || !trend;
  }

  function begin() {
    say("reading", {}, { stage: "reading" });
    at("working").hidden = false;
    at("stage").textContent = words("reading");
    at("bar").removeAttribute("value");
    at("label").setAttribute("aria-disabled", "true");
    at("working").scrollIntoView({ block: "nearest" });
  }

  function end() {
    running = null;
    at("working").hidden = true;
    at("label").removeAttribute("aria-disabled");
  }

  function showProgress({ stage, done, total }) {
    const bar = at("bar");
    if (done) [bar.max, bar.value] = [total, done];
    else bar.removeAttribute("value");
    if (stage === "reading") {
      if (done) at("stage").textContent = words("read", { percent: Math.floor((100 * done) / total) });
      return;
    }
    at("stage").textContent = words("labelled_so_far", { done, count: total });
    if (at("message").dataset.stage !== stage) say("labelling", { count: total }, { stage });
  }

  function showStage(key, values, done, total) {
    const bar = at("bar");
    if (done) [bar.max, bar.value] = [total, done];
    else bar.removeAttribute("value");
    at("stage").replaceChildren(...worded(key, values));
  }

  function showResult() {
    say("labelled", { count: result.article.statements.length }, { stage: "done" });
    model = result.model;
    describeModel();
    document.body.classList.add("answered");
    at("input").open = false;
    shown = null;
    showMode();
    drawResult();
    at("result-title").focus();
  }

  function drawResult() {
    const { article, pairs } = result;
    at("result-title").textContent = article.name ?? words("result");
    const options = { explain: explanationOf, correct: correctable ? correct : null, state: shown };
    shown = stancewise.view(at("view"), { articles: [article], pairs }, options);
  }

  async function explanationOf(statement) {
    try {
      return await (await ask("v1/explain", { ...asked(statement), head: "stance", label: statement.stance?.label })).json();
    } catch (problem) {
      throw problem.status ? problem : new Error(words("no_answer"));
    }
  }

  // ---- Putting a label right

  const LABELS = { stance: ["support", "neutrality", "criticism"], sentiment: ["positive", "neutral", "negative"] };

  function correct(statement, lang) {
    corrected = statement;
    at("correction-text").replaceChildren(make("bdi", { lang }, statement.sentence.text));
    const names = { holder: stancewise.named(statement.speaker, lang), target: stancewise.named(statement.target, lang) };
    at("correction-who").replaceChildren(...worded("holder_on_target", names));
    at("correction-heads").replaceChildren(...Object.keys(LABELS).map(choices));
    at("correction-note").value = "";
    at("correction-problem").textContent = "";
    at("correction").showModal();
  }

  /** The labels of a head. None is chosen at first: a head that the reader leaves alone is not confirmed by that. */
  function choices(head) {
    const boxes = LABELS[head].map((label) =>
      make("label", {}, make("input", { type: "radio", name: `right-${head}`, value: label }), words(label)),
    );
    const given = corrected[head];
    const legend = given ? words("correct_head", { head: words(head), label: words(given.label) }) : words(head);
    return make("fieldset", {}, make("legend", {}, legend), ...boxes);
  }

  async function keepCorrection() {
    const right = (head) => document.querySelector(`input[name=right-${head}]:checked`)?.value ?? null;
    const labels = Object.fromEntries(Object.keys(LABELS).map((head) => [head, right(head)]));
    if (!Object.values(labels).some(Boolean)) {
      at("correction-problem").textContent = words("correct_choose");
      return;
    }
    try {
      await ask("v1/correction", { ...asked(corrected), ...labels, note: at("correction-note").value.trim() || null });
    } catch (problem) {
      const reason = problem.inEnglish ? make("bdi", { lang: "en" }, sentence(problem.message)) : words("no_answer");
      at("correction-problem").replaceChildren(reason);
      return;
    }
    at("correction").close();
    say("corrected");
  }

  /** What the model was asked, as Position.statement() of serving/article/statements.py has it. */
  function asked({ speaker, target, sentence, speaker_mention: holder, target_mention: mention }) {
    const statement = { text: sentence.text, speaker, target };
    for (const [field, span] of Object.entries({ speaker: holder, target: mention })) {
      if (!span || span.start < sentence.start || span.end > sentence.end) continue;
      statement[field] = span.text;
      statement[`${field}_start`] = span.start - sentence.start;
      statement[`${field}_end`] = span.end - sentence.start;
    }
    return statement;
  }

  // ---- Messages

  function say(key, values = {}, { problem = false, focus = null, stage = "" } = {}) {
    const message = at("message");
    said = [key, values];
    message.replaceChildren(...worded(...said));
    message.classList.toggle("problem", problem);
    message.dataset.stage = stage;
    at("again").hidden = true;
    clearInterval(ticking);
    if (focus) {
      at("input").open = true;
      at(focus).focus({ preventScroll: true });
    }
    if (problem) message.scrollIntoView({ block: "nearest" });
  }

  function explainProblem(problem) {
    const { status, retryAfter } = problem;
    const focus = several() ? "choose" : "text";
    if (problem.name === "AbortError") return say(several() ? "cancelled_reports" : "cancelled", {}, { focus });
    if (status === 401) return askForKey(true);
    if (status === 429) {
      say("busy", {}, { problem: true });
      return offerAgain(retryAfter ?? 5);
    }
    const reason = problem.inEnglish ? make("bdi", { lang: "en" }, sentence(problem.message)) : problem.message;
    if (status === 413 && several()) return say("too_many_reports", {}, { problem: true, focus });
    if (status === 413 || status === 422) return say("refused", { reason }, { problem: true, focus });
    if (status) say("refused", { reason }, { problem: true });
    else say("gone", {}, { problem: true });
    return offerAgain(retryAfter ?? 0);
  }

  const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

  function askForKey(wrong = false) {
    at("key-field").hidden = false;
    if (!wrong) return;
    const given = at("key").value.trim();
    say(given ? "key_unknown" : "key_missing", {}, { problem: true, focus: "key" });
  }

  function offerAgain(seconds) {
    let left = seconds;
    at("again").hidden = false;
    const show = () => {
      at("countdown").textContent = left > 0 ? words("best_in", { count: left }) : "";
      if (left <= 0) clearInterval(ticking);
      left -= 1;
    };
    show();
    ticking = setInterval(show, 1000);
    at("retry").focus();
  }

  // ---- What goes in

  const wellFormed = (text) => (text.toWellFormed ? text.toWellFormed() : text);

  /** Code points, in which the server counts. */
  const characters = (text) => text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g) ?? []).length;

  /** name -> other names; null: none given. */
  function targets() {
    const given = {};
    for (const line of at("targets").value.split("\n")) {
      const [name, ...others] = line.split(/[:,：，、،]/).map((part) => part.trim());
      if (name) given[name] = others.filter(Boolean);
    }
    return Object.keys(given).length ? given : null;
  }

  function showSize() {
    const size = characters(at("text").value);
    at("size").textContent = words("size", { count: size, most });
    at("size").classList.toggle("over", size > most);
  }

  async function open(file) {
    if (/\.html?$/i.test(file.name)) {
      const command = "python -m serving article FILE --extract html";
      return say("file_html", { name: file.name, command }, { problem: true });
    }
    if (file.size > 4 * most) return say("file_large", { name: file.name, most }, { problem: true });
    const text = decoded(new Uint8Array(await file.arrayBuffer()));
    if (text === null) return say("file_bytes", { name: file.name }, { problem: true });
    const before = { text: at("text").value, name: at("file-name").textContent };
    put(text, file.name);
    say("file_opened", { name: file.name });
    earlier = before.text.trim() ? before : null;
    at("back").hidden = earlier === null;
    return at("text").focus();
  }

  function put(text, name) {
    at("text").value = text;
    at("text").setSelectionRange(0, 0);
    at("file-name").textContent = name;
    showSize();
  }

  function decoded(bytes) {
    const wide = { "255,254": "utf-16le", "254,255": "utf-16be" }[bytes.slice(0, 2).join()];
    try {
      const text = new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes);
      return text.includes("\0") ? null : text;
    } catch {
      return null;
    }
  }

  // ---- The language of the page

  function translate() {
    stancewise.translate(document);
    const example = make("code", { dir: "auto" }, words("targets_example"));
    at("targets-hint").replaceChildren(...worded("targets_hint", { example }));
    showSize();
    if (said) at("message").replaceChildren(...worded(...said));
    if (model) describeModel();
    if (result) drawResult();
  }

  // ---- Wiring

  at("form").onsubmit = (event) => {
    event.preventDefault();
    label();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    label();
  });
  at("cancel").onclick = () => running?.abort();
  at("retry").onclick = label;
  at("key").onchange = showModel;
  at("text").oninput = showSize;
  at("open").onclick = () => at("file").click();
  at("file").onchange = ({ target }) => {
    if (target.files.length) open(target.files[0]);
    target.value = ""; // the same file may be opened again
  };
  at("one").onchange = at("several").onchange = showMode;
  at("choose").onclick = () => at("files").click();
  at("files").onchange = ({ target }) => {
    reports.add(target.files);
    target.value = "";
  };
  at("remove").onclick = () => {
    reports.clear();
    at("choose").focus();
  };
  at("back").onclick = () => {
    put(earlier.text, earlier.name);
    at("back").hidden = true;
    at("text").focus();
  };
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragged");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dragged");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dragged");
    if (!event.dataTransfer.files.length) return; // a piece of text goes where it is dropped
    event.preventDefault();
    at("input").open = true;
    const { files } = event.dataTransfer;
    if (files.length > 1) at("several").checked = true;
    showMode();
    if (several()) reports.add(files);
    else open(files[0]);
  });
  at("correction-save").onclick = keepCorrection;
  at("correction-cancel").onclick = () => at("correction").close();
  at("json").onclick = () => save.json(result);
  at("csv").onclick = () => save.csv(result);
  at("page").onclick = savePage;
  document.querySelector("header").append(stancewise.languageChoice());
  stancewise.follow(translate);
  showMode(); // a browser may bring back what was chosen before
  showModel();
}
