// Times in the reader's own zone, with the exact one at hand.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const shown = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export function localise() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(time.dateTime);
    time.title = `${exact.format(moment)} · ${time.title}`;
    time.textContent = shown.format(moment);
    time.dataset.local = "";
  }
  for (const input of document.querySelectorAll("input[name=zone]")) {
    input.value = zone;
  }
  for (const note of document.querySelectorAll("[data-zone-note]")) {
    note.textContent = `in ${zone}`;
  }
}
