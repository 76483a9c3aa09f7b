// Comfort only: every page works without this file.
"use strict";

// Ticks: how many, and all of this page at once.
function countTicks() {
  for (const form of document.querySelectorAll("[data-ticks]")) {
    const boxes = [...form.querySelectorAll("input[name=tick][type=checkbox]:not(:disabled)")];
    const here = boxes.filter((box) => box.checked).length;
    const elsewhere = form.querySelectorAll("input[name=tick][type=hidden]").length;
    const counter = form.querySelector("[data-tick-count]");
    if (counter) {
      const count = here + elsewhere;
      counter.textContent = (count === 1 ? counter.dataset.one : counter.dataset.many).replace("0", count);
      counter.hidden = count === 0;
    }
    const all = form.querySelector("[data-tick-all]");
    if (all) {
      all.closest("[hidden]")?.removeAttribute("hidden");
      all.checked = boxes.length > 0 && here === boxes.length;
      all.indeterminate = here > 0 && here < boxes.length;
    }
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tick-all]")) {
    const boxes = event.target.closest("[data-ticks]").querySelectorAll("input[name=tick][type=checkbox]:not(:disabled)");
    for (const box of boxes) box.checked = event.target.checked;
  }
  if (event.target.matches("[data-tick-all], input[name=tick]")) countTicks();
});

// Menus close like menus.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A fragment that never came is said, not passed over.
document.addEventListener("htmx:sendError", () => {
  const message = document.getElementById("connection-lost");
  if (message) document.getElementById("flashes").replaceChildren(message.content.cloneNode(true));
});

document.addEventListener("htmx:afterSettle", countTicks);
document.addEventListener("DOMContentLoaded", countTicks);
