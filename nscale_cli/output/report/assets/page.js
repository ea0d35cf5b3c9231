"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const cells = [...document.querySelectorAll(".cell")];
  const pictures = cells.filter((cell) => cell.classList.contains("picture"));
  const grid = one(".grid"), zoom = one("#zoom"), pair = one("#pair"), keys = one("#keys");
  const stage = one("#pair-stage"), wipe = one("#wipe");
  let shown = null; // the cell that is zoomed
  let pinned = []; // at most two, the older first
  const say = (text) => { one("#status").textContent = text; };
  const image = (cell) => cell.querySelector("img");
  const facts = (cell) =>
    [...cell.parentElement.querySelectorAll("figcaption span")].map((span) => span.textContent).join(" · ");

  /* The next cell in a direction: by where cells are, so that it holds for tables and galleries. */
  function next(from, right, down) {
    const place = (cell) => cell.closest("td, li").getBoundingClientRect();
    const here = place(from);
    let best = null, least = Infinity;
    for (const cell of cells) {
      const there = place(cell);
      const x = there.left - here.left, y = there.top - here.top;
      const ahead = x * right + y * down, aside = Math.abs(right ? y : x);
      if (ahead > 3 && ahead + 4 * aside < least) { best = cell; least = ahead + 4 * aside; }
    }
    return best;
  }

  /* The original where it still is beside the page, else the picture that is in the page. */
  function load(target, cell) {
    const small = image(cell).src, full = new Image();
    target.src = small;
    target.alt = image(cell).alt;
    target.dataset.of = cell.href;
    full.onload = () => { if (target.dataset.of === cell.href) target.src = full.src; };
    full.src = cell.href;
  }

  function show(cell) {
    shown = cell;
    load(one("#zoom-image"), cell);
    one("#zoom-name").textContent = image(cell).alt;
    one("#zoom-facts").textContent = facts(cell);
    one("#zoom-file").href = cell.href;
    zoom.classList.remove("actual");
    if (!zoom.open) zoom.showModal();
    zoom.querySelector(".stage").focus();
  }

  function pin(cell) {
    pinned = pinned.includes(cell) ? pinned.filter((other) => other !== cell) : [...pinned, cell].slice(-2);
    for (const picture of pictures) {
      const number = pinned.indexOf(picture) + 1, button = picture.parentElement.querySelector(".pin");
      picture.parentElement.classList.toggle("pinned", number > 0);
      button.setAttribute("aria-pressed", String(number > 0));
      button.textContent = number ? `Pinned ${number}` : "Pin";
    }
    one("#compare").disabled = pinned.length < 2;
    say(`${pinned.length} of 2 pinned`);
    if (pinned.length === 2) compare();
  }

  function compare() {
    if (zoom.open) zoom.close();
    const [before, after] = pinned;
    load(one("#pair-before"), before);
    load(one("#pair-after"), after);
    one("#pair-left").textContent = `1: ${image(before).alt}`;
    one("#pair-right").textContent = `2: ${image(after).alt}`;
    stage.style.setProperty("--ratio", image(before).naturalWidth / image(before).naturalHeight);
    difference(false);
    cut(50);
    pair.showModal();
    wipe.focus();
  }

  function cut(percent) {
    wipe.value = percent;
    stage.style.setProperty("--cut", `${wipe.value}%`);
  }

  function difference(on) {
    stage.classList.toggle("difference", on);
    one("#difference").setAttribute("aria-pressed", String(on));
    wipe.disabled = on;
  }

  function drag(event) {
    const box = stage.getBoundingClientRect();
    cut((100 * (event.clientX - box.left)) / box.width);
  }

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function inPage(event, cell) {
    if (arrows[event.key]) {
      const to = cell ? next(cell, ...arrows[event.key]) : cells[0];
      if (to) to.focus();
      return Boolean(cell && to);
    }
    if (event.key === "c" && cell && pictures.includes(cell)) { pin(cell); return true; }
    if (event.key === "?") { keys.showModal(); return true; }
    return false;
  }

  function inZoom(event) {
    if (arrows[event.key] && !zoom.classList.contains("actual")) {
      let to = next(shown, ...arrows[event.key]);
      while (to && !pictures.includes(to)) to = next(to, ...arrows[event.key]);
      if (to) show(to);
      return true;
    }
    if (event.key === "Enter" && event.target.matches(".stage")) { zoom.classList.toggle("actual"); return true; }
    if (event.key === "c") { pin(shown); return true; }
    return false;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    let done = false;
    if (pair.open) {
      if (event.key === "d") { difference(!stage.classList.contains("difference")); done = true; }
    } else if (zoom.open) {
      done = inZoom(event);
    } else if (!keys.open && !event.target.matches("input, textarea")) {
      done = inPage(event, event.target.closest(".cell"));
    }
    if (done) event.preventDefault();
  });

  for (const picture of pictures) {
    picture.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(picture);
    });
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pin";
    button.textContent = "Pin";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", `Pin ${image(picture).alt}`);
    button.addEventListener("click", () => pin(picture));
    picture.after(button);
  }
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  for (const dialog of [zoom, pair, keys]) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  zoom.addEventListener("close", () => { if (shown) shown.focus(); });
  one("#zoom-image").addEventListener("click", () => zoom.classList.toggle("actual"));
  one("#compare").addEventListener("click", compare);
  one("#help").addEventListener("click", () => keys.showModal());
  one("#difference").addEventListener("click", () => difference(!stage.classList.contains("difference")));
  wipe.addEventListener("input", () => cut(wipe.value));
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); drag(event); });
  stage.addEventListener("pointermove", (event) => { if (stage.hasPointerCapture(event.pointerId)) drag(event); });

  const size = one("#size");
  if (pictures.length) size.value = parseInt(getComputedStyle(image(pictures[0])).maxWidth, 10);
  size.addEventListener("input", () => grid.style.setProperty("--cell", `${size.value}px`));
  one("#bar").hidden = false;
})();
