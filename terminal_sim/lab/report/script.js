"use strict";
// Opens whatever folds hide the target of a link, so that links from findings always lead somewhere to be seen.
function reveal() {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
  if (!target) return;
  for (let node = target.parentElement; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  const own = target.querySelector(":scope > details.run");
  if (own) own.open = true;
  target.scrollIntoView({ block: target.tagName === "SECTION" ? "start" : "center" });
  if (target.tabIndex === -1) target.focus({ preventScroll: true });
}
addEventListener("hashchange", reveal);
addEventListener("load", reveal);
// Paper has no folds.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((node) => { node.open = true; }));
// The matrix shows one row for all occurrences of a point; a press shows each of them.
for (const button of document.querySelectorAll("button.more")) {
  const rows = document.querySelectorAll(`tr[data-of="${button.dataset.group}"]`);
  const show = (open) => {
    button.setAttribute("aria-expanded", String(open));
    rows.forEach((row) => { row.hidden = !open; });
  };
  show(false);
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
}
