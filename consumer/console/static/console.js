// Times in the reader's own zone, with the exact one at hand; all else works without scripts.
(() => {
  "use strict";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const moment = new Date(time.dateTime);
      time.title = `${exact.format(moment)} · ${time.title}`;
      time.textContent = shown.format(moment);
      time.dataset.local = "";
    }
    for (const input of root.querySelectorAll("input[name=zone]")) {
      input.value = zone;
    }
    for (const note of root.querySelectorAll("[data-zone-note]")) {
      note.textContent = `in ${zone}`;
    }
  }

  localise(document);
  document.addEventListener("htmx:afterSettle", (event) => localise(event.target.parentElement || document));
})();
