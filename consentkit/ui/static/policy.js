// @ts-check
// The cookie policy: search by name, and print with everything unfolded.
const tools = /** @type {HTMLElement} */ (document.querySelector(".consent-search"));
const folds = document.querySelectorAll("details");
tools.hidden = false;
tools.oninput = event => {
  const wanted = /** @type {HTMLInputElement} */ (event.target).value.trim().toLowerCase();
  let found = 0;
  for (const name of document.querySelectorAll("tbody th, summary h3")) {
    const item = /** @type {HTMLElement} */ (name.closest("tr, details"));
    item.hidden = !name.textContent?.toLowerCase().includes(wanted);
    found += +!item.hidden;
  }
  for (const fold of folds) fold.open = !!wanted && !!fold.querySelector("tbody tr:not([hidden])");
  /** @type {HTMLOutputElement} */ (tools.querySelector("output")).value = wanted && String(found);
};
/** @type {HTMLElement} */ (tools.querySelector("button")).onclick = () => print();
// For browsers that cannot unfold in a style sheet.
addEventListener("beforeprint", () => folds.forEach(fold => fold.open = true));
