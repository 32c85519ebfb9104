// Times in the reader's own zone, with the exact one at hand, and a word where the network fails; all else works
// without scripts.
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

  function forget() {
    document.getElementById("script-trouble")?.remove();
  }

  function tell(title, text, reload) {
    forget();
    const banner = document.createElement("div");
    banner.id = "script-trouble";
    banner.className = "banner bad";
    banner.setAttribute("role", "alert");
    const line = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = title;
    line.append(strong, ` ${text} `);
    if (reload) {
      const link = document.createElement("a");
      link.href = window.location.href;
      link.textContent = "Reload the page";
      line.append(link);
    }
    banner.append(line);
    document.getElementById("main").prepend(banner);
    banner.scrollIntoView({ block: "nearest" });
  }

  // What the page of a refusal says, where the answer is one of ours.
  function refusal(answer) {
    const page = new DOMParser().parseFromString(answer, "text/html");
    return [page.querySelector("h1")?.textContent, page.querySelector("h1 + p")?.textContent];
  }

  localise(document);
  document.addEventListener("htmx:afterSettle", (event) => localise(event.target.parentElement || document));
  document.addEventListener("htmx:historyRestore", () => localise(document));
  // Signed out meanwhile, say: the browser itself finds the way.
  document.addEventListener("htmx:historyCacheMissLoadError", () => window.location.reload());
  document.addEventListener("htmx:beforeRequest", forget);
  document.addEventListener("htmx:responseError", (event) => {
    const { status, responseText } = event.detail.xhr;
    const [title, text] = refusal(responseText);
    if (status === 401) {
      tell("You are not signed in any more.", "Nothing was done. Reload the page, and sign in again.", true);
    } else if (status === 403) {
      tell(title || "This was refused.", text || "Reload the page, or sign in again.", true);
    } else {
      tell(title || "This did not work.", title ? text : "Try again in a minute.", false);
    }
  });
  document.addEventListener("htmx:sendError", () => {
    tell("HearLink could not be reached.", "Check your connection, then try it again.", false);
  });
})();
