"use strict";

// One statement at a time: the person chooses, the server keeps the answer, the next one comes. Texts enter the page as
// text nodes only. The server counts characters as code points, strings count UTF-16 units: `units` and `points` turn
// one into the other.

{
  const at = (id) => document.getElementById(id);
  const HEADS = {
    stance: [
      ["support", "+"],
      ["neutrality", "○"],
      ["criticism", "−"],
    ],
    sentiment: [
      ["positive", "+"],
      ["neutral", "○"],
      ["negative", "−"],
    ],
  };
  const ROLES = {
    speaker: { word: "holder", none: "the author of the text" },
    target: { word: "target", none: "the main subject of the text" },
  };
  const key = location.hash.slice(1);
  let about = null; // model, suggest, guide
  let state = null; // what the server last said
  let mended = {}; // role -> {start, end} in characters, or null; a role that is right is missing
  let picking = null; // the words to choose from, while a role is mended
  let busy = false;

  // ---- Talking to the server

  async function ask(path, body) {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(path, body ? { method: "POST", body: JSON.stringify(body), headers } : { headers });
    const said = await response.json().catch(() => ({}));
    if (response.ok) return said;
    throw Object.assign(new Error(said.error ?? `the answer was ${response.status}`), { status: response.status });
  }

  /** One step after the other: what is pressed while one is on its way is not taken. */
  async function step(path, body) {
    if (busy) return;
    busy = true;
    try {
      show(await ask(path, body));
    } catch (problem) {
      await explain(problem);
    } finally {
      busy = false;
    }
  }

  async function explain(problem) {
    if (problem.status === 409) {
      show(await ask("next"));
      say("This statement was answered in another window. Here is the next one.");
    } else if (problem.status === 401) {
      say("The command was started again since this page was opened. Open the address that it printed.", true);
    } else if (problem.status) {
      say(`${problem.message.charAt(0).toUpperCase()}${problem.message.slice(1)}.`, true);
    } else {
      say("The command does not answer. Start it again, then open the address that it prints: every answer saved is kept.", true);
    }
  }

  function say(text, problem = false) {
    at("message").textContent = text;
    at("message").classList.toggle("problem", problem);
  }

  // ---- The statement

  function show(next) {
    state = next;
    mended = {};
    say("");
    showProgress();
    at("undo").setAttribute("aria-disabled", !state.can_undo);
    const { statement } = state;
    at("work").classList.toggle("done", !statement);
    for (const part of ["text", "heads", "mending"]) at(part).hidden = !statement;
    for (const part of document.querySelectorAll(".tools, .note, #save, #skip")) part.hidden = !statement;
    if (!statement) {
      at("question").textContent = `All ${state.total} statements have an answer. The answers are in ${state.output}; you may close this page.`;
      at("question").focus();
      return;
    }
    for (const role of statement.mended) mended[role] = spanOf(statement[role]);
    for (const head of Object.keys(HEADS)) {
      for (const box of document.getElementsByName(head)) box.checked = box.value === statement.chosen[head];
    }
    at("note").value = statement.chosen.note;
    at("text").lang = statement.language;
    stopPicking();
    at("text").scrollTop = 0;
    at("text").querySelector(".role")?.scrollIntoView({ block: "nearest" });
    window.scrollTo(0, 0);
    hideSuggestion();
    at("question").focus({ preventScroll: true });
  }

  function showProgress() {
    at("bar").max = state.total;
    at("bar").value = state.done;
    const left = state.seconds_left;
    const minutes = Math.max(1, Math.round(left / 60));
    const time = left === null || state.done === state.total ? "" : ` · about ${minutes} min left`;
    at("progress").textContent = `${state.done} of ${state.total}${time}`;
  }

  function drawQuestion() {
    const names = Object.keys(ROLES).map((role) => {
      const mention = state.statement[role];
      const name = make("bdi", mention ? { lang: state.statement.language } : {}, mention ? mention.words : ROLES[role].none);
      const missing = mention && mention.start === null ? make("span", { className: "hint" }, " (not found in the text)") : "";
      return make("span", {}, make("span", { className: `role ${role}` }, name), missing);
    });
    at("question").replaceChildren("The position of ", names[0], " on ", names[1]);
  }

  /** The text with holder and target marked; each mark says in a word what it is. */
  function drawText() {
    const { text } = state.statement;
    const spans = Object.keys(ROLES)
      .map((role) => ({ role, ...spanOf(state.statement[role]) }))
      .filter(({ start }) => start !== undefined)
      .map(({ role, start, end }) => ({ role, start: units(text, start), end: units(text, end) }));
    const cuts = [...new Set([0, text.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
    const parts = [];
    for (const [place, from] of cuts.slice(0, -1).entries()) {
      const within = spans.filter(({ start, end }) => start <= from && from < end);
      for (const { role, start } of within) {
        if (start === from) parts.push(make("span", { className: `tag ${role}`, lang: "en", dir: "ltr" }, `${ROLES[role].word} `));
      }
      const piece = text.slice(from, cuts[place + 1]);
      const classes = within.map(({ role }) => role).join(" ");
      parts.push(within.length ? make("mark", { className: `role ${classes}` }, piece) : piece);
    }
    at("text").replaceChildren(...parts);
  }

  const spanOf = (mention) =>
    mention && mention.start !== null ? { start: mention.start, end: mention.end } : null;

  // ---- Answering

  function chosen(head) {
    return document.querySelector(`input[name=${head}]:checked`)?.value ?? null;
  }

  function save() {
    const answer = { id: state.statement.id, stance: chosen("stance"), sentiment: chosen("sentiment"), ...mended };
    if (!answer.stance && !answer.sentiment) {
      return say("Choose a stance (1, 2, 3), a sentiment (4, 5, 6) or both. Skip (S) leaves the statement for later.", true);
    }
    return step("answer", { ...answer, note: at("note").value || null });
  }

  const skip = () => step("skip", { id: state.statement.id });
  const undo = () => state.can_undo && step("undo", {});

  // ---- The model's answer

  function hideSuggestion() {
    at("suggestion").textContent = "";
    at("suggest").hidden = !about.model;
    if (about.model && about.suggest) suggest();
  }

  async function suggest() {
    const { id } = state.statement;
    at("suggest").hidden = true;
    at("suggestion").textContent = "The model reads the statement…";
    let said;
    try {
      said = describe(await ask("suggestion", { id, ...mended }));
    } catch (problem) {
      said = `No answer of the model: ${problem.message}.`;
    }
    if (state.statement?.id === id) at("suggestion").textContent = said;
  }

  function describe(answer) {
    const heads = Object.keys(HEADS)
      .filter((head) => answer[head])
      .map((head) => `${answer[head]} ${Math.round(100 * answer[`${head}_probabilities`][answer[head]])} %`);
    return `The model says: ${heads.join(", ")}${answer.abstained ? " (unsure)" : ""}`;
  }

  // ---- Mending holder or target: words are chosen with the pointer, or with the arrow keys

  function mend(role) {
    const { text, language } = state.statement;
    const words = [];
    const pieces = [];
    for (const { segment, index, isWordLike } of new Intl.Segmenter(language || undefined, { granularity: "word" }).segment(text)) {
      if (!isWordLike) {
        pieces.push(segment);
        continue;
      }
      const element = make("span", { className: "word", role: "option", id: `word-${words.length}`, "aria-selected": "false" }, segment);
      words.push({ element, start: index, end: index + segment.length });
      pieces.push(element);
    }
    if (!words.length) return;
    picking = { role, words, from: 0, to: 0, dragging: false };
    const span = spanOf(state.statement[role]);
    if (span) {
      const [start, end] = [units(text, span.start), units(text, span.end)];
      const inside = words.flatMap((word, place) => (word.start < end && start < word.end ? [place] : []));
      if (inside.length) [picking.from, picking.to] = [inside[0], inside[inside.length - 1]];
    }
    const box = at("text");
    box.replaceChildren(...pieces);
    box.classList.add("picking");
    box.setAttribute("role", "listbox");
    box.setAttribute("aria-multiselectable", "true");
    box.removeAttribute("aria-labelledby");
    box.setAttribute("aria-label", `Words of the ${ROLES[role].word}`);
    at("mending").hidden = false;
    at("mending-hint").textContent = `Choose the words that stand for the ${ROLES[role].word}: drag over them, or move with the arrow keys and hold Shift to take several.`;
    at("nobody").replaceChildren(`It is ${ROLES[role].none} `, make("kbd", {}, "0"));
    box.focus();
    select(picking.from, picking.to);
  }

  function select(from, to) {
    const { words } = picking;
    const bounded = (place) => Math.min(words.length - 1, Math.max(0, place));
    [picking.from, picking.to] = [bounded(from), bounded(to)];
    const [first, last] = [picking.from, picking.to].sort((a, b) => a - b);
    for (const [place, { element }] of words.entries()) {
      element.setAttribute("aria-selected", first <= place && place <= last);
      element.classList.toggle("here", place === picking.to);
    }
    const here = words[picking.to].element;
    at("text").setAttribute("aria-activedescendant", here.id);
    here.scrollIntoView({ block: "nearest" });
  }

  function apply() {
    const { text } = state.statement;
    const { role, words } = picking;
    const [first, last] = [picking.from, picking.to].sort((a, b) => a - b);
    const [start, end] = [words[first].start, words[last].end];
    put(role, { start: points(text, start), end: points(text, end) }, text.slice(start, end));
  }

  function put(role, span, words = "") {
    mended[role] = span;
    state.statement[role] = span && { words, ...span };
    stopPicking();
    hideSuggestion();
    at("question").focus(); // where Enter saves
    say(`The ${ROLES[role].word} is now ${span ? `“${words}”` : ROLES[role].none}.`);
  }

  function leave() {
    stopPicking();
    at("question").focus();
  }

  function stopPicking() {
    picking = null;
    const box = at("text");
    box.classList.remove("picking");
    box.setAttribute("role", "group");
    box.setAttribute("aria-labelledby", "text-name");
    for (const name of ["aria-multiselectable", "aria-activedescendant", "aria-label"]) box.removeAttribute(name);
    at("mending").hidden = true;
    drawQuestion();
    drawText();
  }

  const wordAt = (event) => {
    const element = document.elementFromPoint(event.clientX, event.clientY)?.closest(".word");
    return element ? Number(element.id.slice(5)) : null;
  };

  function drag(event, begins) {
    if (!picking || (!begins && !picking.dragging)) return;
    const place = wordAt(event);
    if (begins) picking.dragging = place !== null;
    if (place !== null) select(begins && !event.shiftKey ? place : picking.from, place);
  }

  // ---- The guide

  function drawGuide() {
    const { guide } = about;
    if (!guide) return;
    at("guide").hidden = false;
    const wanted = at("find").value.trim().toLowerCase();
    const fits = (...texts) => texts.some((text) => text.toLowerCase().includes(wanted));
    const lists = ["stance", "sentiment"].map((head) => [head, guide[head].rules.filter((rule) => fits(rule))]);
    const cases = guide.cases.filter(({ name, rule, example }) => fits(name, rule, example));
    const parts = lists.flatMap(([head, rules]) =>
      rules.length ? [make("h3", {}, head === "stance" ? "Stance" : "Sentiment"), make("ul", {}, ...rules.map((rule) => make("li", {}, rule)))] : [],
    );
    if (cases.length) {
      const entries = cases.flatMap(({ name, rule, example }) => [
        make("dt", {}, name),
        make("dd", {}, `${rule}. `, make("span", { className: "example" }, example)),
      ]);
      parts.push(make("h3", {}, "Hard cases"), make("dl", {}, ...entries));
    }
    at("rules").replaceChildren(...(parts.length ? parts : [make("p", {}, "No rule has this word.")]));
  }

  function drawHeads() {
    let number = 0;
    const sets = Object.entries(HEADS).map(([head, labels]) => {
      const asks = about.guide?.[head].asks;
      const lines = labels.map(([label, symbol]) => {
        number += 1;
        const box = make("input", { type: "radio", name: head, value: label, "aria-keyshortcuts": String(number) });
        return make("label", {}, box, make("span", { "aria-hidden": "true" }, symbol), label, make("kbd", {}, String(number)));
      });
      const hint = asks ? [make("p", { className: "hint" }, asks)] : [];
      return make("fieldset", {}, make("legend", {}, head === "stance" ? "Stance" : "Sentiment"), ...hint, ...lines);
    });
    at("heads").replaceChildren(...sets);
  }

  // ---- Small things

  const units = (text, characters) => [...text].slice(0, characters).join("").length;
  const points = (text, place) => [...text.slice(0, place)].length;

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element && name !== "role") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // ---- Keys and buttons

  function choose(number) {
    const boxes = document.querySelectorAll("#heads input");
    boxes[number - 1].checked = true;
    say("");
  }

  const KEYS = {
    h: () => mend("speaker"),
    t: () => mend("target"),
    m: () => about.model && !at("suggest").hidden && suggest(),
    s: skip,
    u: undo,
    n: () => at("note").focus(),
    g: () => about.guide && at("find").focus(),
  };

  function pickingKey(event) {
    const right = getComputedStyle(at("text")).direction === "rtl" ? -1 : 1;
    const moves = { ArrowRight: right, ArrowLeft: -right, ArrowDown: 10, ArrowUp: -10, Home: -Infinity, End: Infinity };
    const onText = document.activeElement === at("text");
    if (event.key === "Escape") leave();
    else if (event.key === "0") put(picking.role, null);
    else if (event.key in moves && onText) {
      const place = picking.to + moves[event.key];
      if (event.shiftKey) select(picking.from, place);
      else select(place, place);
    } else if (event.key === "Enter" && onText) apply();
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (!state || event.ctrlKey || event.metaKey || event.altKey) return;
    if (picking) return pickingKey(event);
    const { target } = event;
    const typing = target.matches("input[type=text]");
    if (typing) {
      if (event.key === "Escape") at("question").focus();
      else if (event.key === "Enter" && target === at("note") && state.statement) save();
      return;
    }
    if (event.key === "Enter" && !target.matches("button")) {
      if (state.statement) save();
    } else if (/^[1-6]$/.test(event.key) && state.statement) choose(Number(event.key));
    else if (KEYS[event.key.toLowerCase()] && (state.statement || "ug".includes(event.key.toLowerCase()))) KEYS[event.key.toLowerCase()]();
    else return;
    event.preventDefault();
  });

  at("save").onclick = save;
  at("skip").onclick = skip;
  at("undo").onclick = undo;
  at("suggest").onclick = suggest;
  at("mend-speaker").onclick = () => mend("speaker");
  at("mend-target").onclick = () => mend("target");
  at("apply").onclick = apply;
  at("nobody").onclick = () => put(picking.role, null);
  at("leave").onclick = leave;
  at("find").oninput = drawGuide;
  at("text").addEventListener("pointerdown", (event) => drag(event, true));
  document.addEventListener("pointermove", (event) => drag(event, false));
  document.addEventListener("pointerup", () => picking && (picking.dragging = false));
  // A tab that was opened on an earlier start, and gets the new address, is a new page.
  window.addEventListener("hashchange", () => location.reload());

  ask("start").then((said) => {
    about = said;
    drawHeads();
    drawGuide();
    at("work").hidden = false;
    show(said.state);
  }, explain);
}
