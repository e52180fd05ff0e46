"use strict";

// The box of details: who says what of whom, both heads' probabilities and the words that carried the stance.

Object.assign(
  stancewise,
  (() => {
    const { make, words, worded, fixed, named, wordOf, badge, sureOf, unitsOf } = stancewise;
    const LIGHT = 0.1; // of the weightiest word's effect: below it a word is not shown to carry anything
    const MENTIONS = { holder: "speaker_mention", cue: "cue", target: "target_mention" };

    /** One box within `parent`; it stands beside the mark or chip that has the pointer or the focus. */
    function detailsBox(parent, id) {
      const box = make("div", { className: "details", id, role: "tooltip", hidden: true });
      let owner = null;
      let leaving = 0;
      parent.append(box);
      box.addEventListener("pointerenter", () => clearTimeout(leaving));
      box.addEventListener("pointerleave", leave);

      function show(rows, spot, pointer, drawn) {
        hide();
        owner = spot;
        box.replaceChildren(...rows.map(card));
        box.hidden = false;
        if (spot.matches(".chip")) spot.setAttribute("aria-describedby", id);
        put(lineOf(spot, pointer));
        point(rows, drawn);
        document.addEventListener("keydown", escape);
      }

      function hide() {
        clearTimeout(leaving);
        owner?.removeAttribute("aria-describedby");
        owner = null;
        box.hidden = true;
        for (const role of Object.keys(MENTIONS)) CSS.highlights?.delete(`stancewise-${role}`);
        document.removeEventListener("keydown", escape);
      }

      function escape(event) {
        if (event.key === "Escape") hide();
      }

      // The pointer may cross the gap to the box, and rest on it.
      function leave() {
        clearTimeout(leaving);
        leaving = setTimeout(() => document.activeElement !== owner && hide(), 200);
      }

      function put(line) {
        const frame = parent.getBoundingClientRect();
        const { width, height } = box.getBoundingClientRect();
        const below = line.bottom + height + 12 < innerHeight || line.top < height + 12;
        box.style.left = `${Math.max(0, Math.min(line.left - frame.left, frame.width - width))}px`;
        box.style.top = `${(below ? line.bottom + 6 : line.top - height - 6) - frame.top}px`;
      }
      return { show, hide, leave, beside: (spot) => owner === spot };
    }

    /** The line under the pointer: a mark may run over several. */
    function lineOf(spot, pointer) {
      const lines = [...spot.getClientRects()];
      return lines.find((line) => line.top <= pointer && pointer <= line.bottom) ?? lines[lines.length - 1];
    }

    /** Shows which words stand for holder, cue and target, where the browser can without changing the document. */
    function point(rows, { unit, pieces }) {
      if (!CSS.highlights) return;
      for (const [role, field] of Object.entries(MENTIONS)) {
        const spans = rows.map((row) => row.statement[field]).filter(Boolean);
        const ranges = spans.map((span) => rangeOf(unit(span.start), unit(span.end), pieces));
        CSS.highlights.set(`stancewise-${role}`, new Highlight(...ranges));
      }
    }

    function rangeOf(start, end, pieces) {
      const range = new Range();
      const [first, last] = [pieceAt(start, pieces), pieceAt(end - 1, pieces)];
      range.setStart(first[1], start - first[0]);
      range.setEnd(last[1], end - last[0]);
      return range;
    }

    function pieceAt(place, pieces) {
      let low = 0;
      let high = pieces.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (pieces[middle][0] <= place) low = middle;
        else high = middle - 1;
      }
      return pieces[low];
    }

    function card({ statement, kind, lang, asked }) {
      const { speaker, target, cue, stance, sentiment, explanation, sentence } = statement;
      const names = {
        holder: make("b", { className: "holder" }, named(speaker, lang)),
        target: make("b", { className: "target" }, named(target, lang)),
      };
      const who = make("p", { className: "who" }, ...worded("holder_on_target", names));
      const how = make("p", { className: "how" });
      if (cue) how.append(...worded("cue_is", { cue: make("bdi", { className: "cue", lang }, cue.text) }), " · ");
      how.append(words(`kind_${statement.kind}`));
      return make(
        "div",
        { className: `card ${kind}` },
        make("p", { className: "what" }, badge(kind), make("strong", {}, wordOf(kind)), doubt(statement), belief(statement)),
        who,
        how,
        make("div", { className: "heads" }, bars("stance", stance), bars("sentiment", sentiment)),
        explanation ? reasons(explanation, sentence.text, lang) : null,
        !explanation && asked ? make("p", { className: "how", dir: "auto" }, asked) : null,
      );
    }

    function doubt({ stance, sentiment, language, foreign }) {
      if (foreign) return make("span", { className: "doubt" }, words("foreign", { language }));
      const unsure = [stance?.abstained ? "stance" : null, sentiment?.abstained ? "sentiment" : null].filter(Boolean);
      if (!unsure.length) return null;
      return make("span", { className: "doubt" }, words(`unsure_${unsure.length > 1 ? "both" : unsure[0]}`));
    }

    function belief(statement) {
      if (statement.sureness == null) return null;
      return make("span", { className: "doubt" }, words("sure", { probability: sureOf(statement) }));
    }

    /** A head's probabilities, the likeliest label in bold. */
    function bars(name, head) {
      if (!head) return null;
      const lines = Object.entries(head.probabilities).map(([label, probability]) => {
        const bar = make("span", { className: `bar ${label}`, "aria-hidden": "true" });
        bar.style.setProperty("--part", probability);
        const best = label === head.label ? "line best" : "line";
        return make(
          "div",
          { className: best },
          make("span", {}, words(label)),
          " ",
          make("span", {}, fixed(probability)),
          bar,
          " ",
        );
      });
      return make("div", { className: "head" }, make("p", { className: "name" }, words(name), " "), ...lines);
    }

    /** The words the model read, those that weigh underlined: solid where they speak for the label, dotted against. */
    function reasons(explanation, text, lang) {
      const unit = unitsOf(text);
      const most = mostOf(explanation.words);
      const line = make("p", { className: "reasons", dir: "auto", lang });
      let at = 0;
      for (const { start, end, effect } of explanation.words) {
        const weight = Math.abs(effect) / most;
        const word = make("span", {}, text.slice(unit(start), unit(end)));
        if (weight > LIGHT) word.className = effect > 0 ? "for" : "against";
        word.style.setProperty("--weight", weight);
        line.append(text.slice(at, unit(start)), word);
        at = unit(end);
      }
      line.append(text.slice(at));
      return make("div", { className: "why" }, line, make("p", { className: "how" }, carried(explanation)));
    }

    const mostOf = (words) => Math.max(...words.map((word) => Math.abs(word.effect)), 1e-9);

    /** The weightiest words and the sum check, in words. */
    function carried({ head, label, words: weighed, total, whole }) {
      const light = LIGHT * mostOf(weighed);
      const best = weighed.filter((word) => word.effect > light).sort((one, other) => other.effect - one.effect);
      const some = best.slice(0, 3).map(({ text, effect }) => words("effect", { word: text, effect: `+${fixed(effect)}` }));
      const said = { head: words(head), label: words(label), words: some.join(words("comma")) };
      const why = words(some.length ? "carried" : "carried_by_none", said);
      const sum = { total: fixed(total), whole: fixed(whole), share: fixed(total / whole) };
      return `${why} ${words(Math.abs(whole) > 1e-6 ? "sum_checked" : "sum", sum)}`;
    }

    return { detailsBox, carried };
  })(),
);
