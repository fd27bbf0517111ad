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
// A link out of a field of the matrix closes the field's sheet.
addEventListener("click", (event) => {
  const sheet = event.target instanceof Element && event.target.closest("a") && event.target.closest("[popover]");
  if (sheet) sheet.hidePopover();
});
