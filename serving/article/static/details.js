"use strict";

// The box of details: who says what of whom, both heads' probabilities and the words that carried the stance.

Object.assign(
  stancewise,
  (() => {
    const { KINDS, make, named, badge, fixed, sureOf, unitsOf } = stancewise;
    const QUOTED = {
      direct: "direct quotation",
      mixed: "partly quoted",
      indirect: "reported",
      turn: "turn in a transcript",
      author: "the author’s own words",
    };
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

    function card({ statement, kind, asked }) {
      const { speaker, target, cue, stance, sentiment, explanation, sentence } = statement;
      const who = make("p", { className: "who" });
      who.append(
        make("b", { className: "holder" }, named(speaker)),
        " on ",
        make("b", { className: "target" }, named(target)),
      );
      const how = make("p", { className: "how" });
      if (cue) how.append("Cue: ", make("bdi", { className: "cue" }, cue.text), " · ");
      how.append(QUOTED[statement.kind]);
      return make(
        "div",
        { className: `card ${kind}` },
        make("p", { className: "what" }, badge(kind), make("strong", {}, KINDS[kind].word), doubt(statement), belief(statement)),
        who,
        how,
        make("div", { className: "heads" }, bars("Stance", stance), bars("Sentiment", sentiment)),
        explanation ? reasons(explanation, sentence.text) : null,
        !explanation && asked ? make("p", { className: "how" }, asked) : null,
      );
    }

    function doubt({ stance, sentiment, language, foreign }) {
      if (foreign) return make("span", { className: "doubt" }, `in ${language}, which the model does not read`);
      const unsure = [stance?.abstained ? "stance" : null, sentiment?.abstained ? "sentiment" : null].filter(Boolean);
      return unsure.length
        ? make("span", { className: "doubt" }, `too unsure of the ${unsure.join(" and the ")}`)
        : null;
    }

    function belief(statement) {
      return statement.sureness == null ? null : make("span", { className: "doubt" }, `${sureOf(statement)} sure`);
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
          make("span", {}, label),
          " ",
          make("span", {}, fixed(probability)),
          bar,
          " ",
        );
      });
      return make("div", { className: "head" }, make("p", { className: "name" }, name, " "), ...lines);
    }

    /** The words the model read, those that weigh underlined: solid where they speak for the label, dotted against. */
    function reasons(explanation, text) {
      const unit = unitsOf(text);
      const most = mostOf(explanation.words);
      const line = make("p", { className: "reasons", dir: "auto" });
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
    function carried({ head, label, words, total, whole }) {
      const light = LIGHT * mostOf(words);
      const best = words.filter((word) => word.effect > light).sort((one, other) => other.effect - one.effect);
      const some = best.slice(0, 3).map((word) => `${word.text} +${fixed(word.effect)}`);
      const why = some.length ? `${label} is carried by ${some.join(", ")}` : `No word speaks for ${label}`;
      const share = Math.abs(whole) > 1e-6 ? ` (sum check ${fixed(total / whole)})` : "";
      const sum = `the words add up to ${fixed(total)}; without all of them they fall by ${fixed(whole)}${share}`;
      return `${head[0].toUpperCase()}${head.slice(1)} ${why}. In log-odds, ${sum}.`;
    }

    return { detailsBox, carried };
  })(),
);
