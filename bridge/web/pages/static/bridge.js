// What pages gain by a script; without it each of them works as well.
"use strict";

// Copy buttons are of no use without a script, so they are hidden until there is one.
function ready(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
  for (const time of root.querySelectorAll("time[datetime]")) {
    const here = new Date(time.dateTime);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!time.dataset.here && zone !== "UTC" && !Number.isNaN(here.valueOf())) {
      time.dataset.here = "told";
      time.title = `${time.title}\n${here.toLocaleString()} (${zone})`;
    }
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  } catch {
    // The address is not one that browsers trust with the clipboard: mark the text, to be copied.
    getSelection().selectAllChildren(button.previousElementSibling);
  }
});

// The living part asks again now and then: not while nobody looks, not while a menu, a field or a
// selection in it would be lost, and an answer that is as before (304) changes nothing.
const tags = new WeakMap();

document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target.closest("[data-living]");
  if (!part) return;
  const selected = getSelection();
  const busy = part.contains(document.activeElement) || (selected.type === "Range" && part.contains(selected.anchorNode));
  if (document.hidden || busy) event.preventDefault();
});

document.addEventListener("htmx:configRequest", (event) => {
  const tag = tags.get(event.target);
  if (tag) event.detail.headers["If-None-Match"] = tag;
});

document.addEventListener("htmx:afterRequest", (event) => {
  const tag = event.detail.xhr.getResponseHeader("ETag");
  if (tag) tags.set(event.target, tag);
  // The session is over: the page says so when it is loaded anew; nothing typed is lost here.
  document.body.classList.toggle("signed-out", event.detail.xhr.status === 401);
});

document.addEventListener("htmx:afterSwap", (event) => ready(event.target));
document.addEventListener("DOMContentLoaded", () => ready(document));
