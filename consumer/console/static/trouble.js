// What a part that does not come says at the top of the page.

export function forget() {
  document.getElementById("script-trouble")?.remove();
}

export function tellUnreachable() {
  tell("HearLink could not be reached.", "Check your connection, then try it again.", false);
}

// `page` is the page of a refusal, where the answer is one of ours.
export function tellRefused(status, page) {
  const title = page.querySelector("h1")?.textContent;
  const text = page.querySelector("h1 + p")?.textContent;
  if (status === 401) {
    tell("You are not signed in any more.", "Nothing was done. Reload the page, and sign in again.", true);
  } else if (status === 403) {
    tell(title || "This was refused.", text || "Reload the page, or sign in again.", true);
  } else {
    tell(title || "This did not work.", title ? text : "Try again in a minute.", false);
  }
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
  line.append(strong, ` ${text ?? ""} `);
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
