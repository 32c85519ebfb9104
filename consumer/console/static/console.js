// Parts of a page that come without loading the whole page. Templates say where:
//   <form data-fills="results">       the form's answer goes into #results; a filter's address becomes the page's
//   <form data-replaced>              the answer takes the form's place; on a button, if the form went off by it
//   <select data-submits>             the form goes off at each choice; with data-submits="id", by that button
//   <div data-loads="/address">       comes when the <details> around it is opened
// Without this script the same forms and links lead to whole pages.
import { localise } from "./times.js";
import { forget, tellRefused, tellUnreachable } from "./trouble.js";

const PART = { "X-Requested-With": "XMLHttpRequest" };
const running = new WeakMap();
let shownAddress = currentAddress();

// Ask for a part that is to go to `place`; null where it did not come, and the page says why. The last one asked wins.
async function ask(place, address, options = {}) {
  running.get(place)?.abort();
  const control = new AbortController();
  running.set(place, control);
  forget();
  try {
    const answer = await fetch(address, { ...options, headers: PART, signal: control.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) {
      return page;
    }
    tellRefused(answer.status, page);
  } catch {
    if (!control.signal.aborted) {
      tellUnreachable();
    }
  }
  return null;
}

async function filter(form) {
  const place = document.getElementById(form.dataset.fills);
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  const address = `${form.getAttribute("action")}?${new URLSearchParams(given)}`;
  const page = await ask(place, address);
  if (page) {
    place.replaceChildren(...page.body.childNodes);
    localise();
    if (address !== currentAddress()) {
      window.history.pushState(null, "", address);
    }
    shownAddress = address;
  }
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const address = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const page = await ask(form, address, { method: "POST", body });
  if (page) {
    const focused = document.activeElement?.id;
    const same = form.id && page.getElementById(form.id);
    form.replaceWith(...(same ? [same] : page.body.childNodes));
    localise();
    if (focused) {
      document.getElementById(focused)?.focus();
    }
  }
}

async function load(place) {
  const page = await ask(place, place.dataset.loads);
  if (page) {
    place.replaceChildren(...page.body.childNodes);
    delete place.dataset.loads;
    localise();
  }
}

function currentAddress() {
  return window.location.pathname + window.location.search;
}

document.addEventListener("submit", (event) => {
  const { target, submitter } = event;
  if ("fills" in target.dataset) {
    event.preventDefault();
    filter(target);
  } else if ("replaced" in target.dataset || "replaced" in (submitter?.dataset ?? {})) {
    event.preventDefault();
    send(target, submitter);
  }
});
document.addEventListener("change", ({ target }) => {
  if ("submits" in target.dataset) {
    target.form.requestSubmit(target.dataset.submits ? document.getElementById(target.dataset.submits) : null);
  }
});
// This event stays at its element: it is caught on the way there.
document.addEventListener("toggle", ({ target }) => {
  const place = target.open && target.querySelector("[data-loads]");
  if (place) {
    load(place);
  }
}, true);
// Back and forward over addresses that a filter made: the browser itself loads what is there.
window.addEventListener("popstate", () => {
  if (currentAddress() !== shownAddress) {
    window.location.reload();
  }
});
localise();
