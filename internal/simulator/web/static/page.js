// Keeps a page fresh. Without it a reload shows the same.
"use strict";
(() => {
  // Times go on counting, as in pages.go. The simulator's clock is not always the browser's.
  let ahead = 0;
  const setClock = (doc) => { ahead = Date.parse(doc.body.dataset.now) - Date.now() || 0; };
  const span = (s) =>
    s < 60 ? `${Math.max(1, Math.floor(s))} s` : s < 3600 ? `${Math.round(s / 60)} min` :
    s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
  const tick = () => {
    const now = Date.now() + ahead;
    for (const t of document.querySelectorAll("time[data-ago], time[data-left]")) {
      const s = (now - Date.parse(t.dateTime)) / 1000;
      const text = "ago" in t.dataset ? `${span(s)} ago` : s < 0 ? span(-s) : "no time";
      if (t.textContent !== text) t.textContent = text;
      if (s > 0 && "reload" in t.dataset) { delete t.dataset.reload; location.reload(); } // a form that has expired says so
    }
  };
  setClock(document);
  tick();
  setInterval(tick, 1000);
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); }); // the back button shows what is true now

  if (document.body.dataset.page !== "front") return;

  // The server says when there is something new, and the parts that can change are replaced.
  const handle = (el) => el?.id || el?.getAttribute("href");
  const apply = (doc) => {
    setClock(doc);
    for (const fresh of doc.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      const key = old.contains(document.activeElement) ? handle(document.activeElement) : null;
      old.replaceChildren(...fresh.childNodes);
      if (key) [...old.querySelectorAll("a, button")].find((el) => handle(el) === key)?.focus({ preventScroll: true });
    }
  };
  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const r = await fetch("/");
      if (r.ok) apply(new DOMParser().parseFromString(await r.text(), "text/html"));
    } catch { /* the stream says that the connection is broken, and tries again */ }
    busy = false;
    if (again) { again = false; refresh(); }
  };

  // Live only while somebody looks: browsers allow few connections.
  const broken = document.getElementById("link");
  let stream = null, retry = 0;
  const connect = () => {
    clearTimeout(retry);
    if (stream || document.hidden) return;
    stream = new EventSource("/changes");
    stream.addEventListener("open", () => { broken.hidden = true; });
    stream.addEventListener("message", refresh);
    stream.addEventListener("error", () => {
      broken.hidden = false;
      if (stream?.readyState === EventSource.CLOSED) { stream = null; retry = setTimeout(connect, 5000); }
    });
  };
  const leave = () => { clearTimeout(retry); stream?.close(); stream = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : connect()));
  addEventListener("pagehide", leave);
  connect();
})();
