"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const main = one("main"), seal = main.dataset.seal, store = `nscale-votes-${seal}`;
  const pairs = main.dataset.pairs.split(" ").filter(Boolean).map((text) => {
    const [ballot, left, right] = text.split(":");
    return { ballot: Number(ballot), left, right };
  });
  const picture = (ballot, letter) => one(`img[data-ballot="${ballot}"][data-letter="${letter}"]`);
  const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  let state = { voter: hex(crypto.getRandomValues(new Uint8Array(8))), votes: [] };
  let saved = true;

  /* Votes outlive a reload where the browser allows it. */
  try {
    const kept = JSON.parse(localStorage.getItem(store));
    if (kept && Array.isArray(kept.votes) && kept.votes.length <= pairs.length) state = kept;
  } catch { /* a page from disk may have no storage */ }

  const text = () => JSON.stringify({ version: 1, seal, voter: state.voter, votes: state.votes }, null, 1);

  function draw() {
    const done = state.votes.length, pair = pairs[done];
    one("#voting").hidden = !pair;
    one("#votes").hidden = done === 0;
    one("#back").disabled = done === 0;
    one("#copy").value = text();
    one("#tally").textContent = `${done} of ${pairs.length} pairs judged.`;
    if (!pair) return;
    one("#duel-name").textContent = `Pair ${done + 1} of ${pairs.length}`;
    one("#duel-prompt").textContent = picture(pair.ballot, pair.left).closest("tr").querySelector("th").textContent.trim();
    one("#duel-left").src = picture(pair.ballot, pair.left).src;
    one("#duel-right").src = picture(pair.ballot, pair.right).src;
  }

  function keep() {
    saved = state.votes.length === 0;
    try { localStorage.setItem(store, JSON.stringify(state)); } catch { /* see above */ }
    draw();
  }

  function choose(choice) {
    const pair = pairs[state.votes.length];
    if (!pair) return;
    state.votes.push({ ...pair, choice });
    keep();
    const left = pairs.length - state.votes.length;
    one("#status").textContent = left ? `${left} left` : "All pairs are judged";
    if (!left) one("#save").focus();
  }

  function back() {
    state.votes.pop();
    keep();
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    link.download = `votes-${state.voter}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    saved = true;
  }

  async function reveal(file) {
    const data = await file.arrayBuffer();
    if (hex(await crypto.subtle.digest("SHA-256", data)) !== seal) {
      one("#status").textContent = one("#tally").textContent = "This is not the key that the page was sealed with.";
      return;
    }
    const key = JSON.parse(new TextDecoder().decode(data));
    key.ballots.forEach((ballot, number) => {
      for (const [letter, who] of Object.entries(ballot.contestants)) {
        picture(number, letter).closest("figure").querySelector(".name").textContent = key.contestants[who];
      }
    });
    one("#status").textContent = one("#tally").textContent = "The key is the one that was sealed; the names stand under the images.";
  }

  const choices = { 1: "left", 2: "right", "=": "both", 0: "neither" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input")) return;
    if (Object.hasOwn(choices, event.key)) choose(choices[event.key]);
    else if (event.key === "u" && state.votes.length) back();
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-choice]")) {
    button.addEventListener("click", () => choose(button.dataset.choice));
  }
  one("#back").addEventListener("click", back);
  one("#save").addEventListener("click", save);
  one("#key").addEventListener("change", (event) => { if (event.target.files[0]) reveal(event.target.files[0]); });
  window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
  draw();
})();
