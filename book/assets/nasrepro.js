// Without this script the claims are a plain list, and what is folded unfolds by a click.

// The claims of the page whose verdict, paper and study are chosen; all others are hidden.
function startFilter(form) {
  const claims = [...form.parentElement.querySelectorAll("details.claim")];
  const selects = [...form.querySelectorAll("select")];
  const wanted = new URLSearchParams(location.search);
  const show = () => {
    let count = 0;
    for (const claim of claims) {
      claim.hidden = selects.some((s) => s.value && claim.dataset[s.name] !== s.value);
      count += !claim.hidden;
    }
    form.querySelector("output").textContent = `${count} of ${claims.length} claims`;
  };
  for (const select of selects) select.value = wanted.get(select.name) ?? "";
  form.addEventListener("change", show);
  form.hidden = false;
  show();
}

// What the address points at is shown, also inside of what is folded or filtered out.
function showTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.hidden = false;
  for (let part = target; part; part = part.parentElement)
    if (part.tagName === "DETAILS") part.open = true;
  target.scrollIntoView();
}

// Paper has no unfolding: what is printed shows the tables, and is folded again afterwards.
function unfoldPrint() {
  const folded = [...document.querySelectorAll("details.fold:not([open])")];
  addEventListener("beforeprint", () => folded.forEach((part) => (part.open = true)));
  addEventListener("afterprint", () => folded.forEach((part) => (part.open = false)));
}

// A table that is wider than its place is scrolled by the arrow keys, too, once it can be reached.
function reachTables() {
  for (const table of document.querySelectorAll(".bd-article table"))
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
}

// Results of a search show words; formulas would be shown as TeX.
function hideFormulas() {
  if (typeof Search === "undefined") return;
  const plain = Search.htmlToText;
  const formula = /\\\[[\s\S]*?\\\]|\\\([\s\S]*?\\\)/g;
  Search.htmlToText = (html, ...rest) => plain(html.replace(formula, "…"), ...rest);
}

addEventListener("DOMContentLoaded", () => {
  hideFormulas();
  document.querySelectorAll("form.claim-filter").forEach(startFilter);
  unfoldPrint();
  showTarget();
  reachTables();
});
document.addEventListener("toggle", reachTables, true); // what is folded has no width
addEventListener("resize", reachTables);
addEventListener("hashchange", showTarget);
