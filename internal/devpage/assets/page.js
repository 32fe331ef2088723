// Keeps a page fresh. Without it a reload shows the same.
"use strict";
(() => {
  const live = (doc) => [...doc.querySelectorAll("[data-live]")];

  // --- times: "12 s ago" goes on counting. As in format.go.
  const rough = (s) =>
    s < 60 ? `${Math.floor(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min` :
    s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
  const tick = () => {
    let due = false; // something on the page has just come to its end, which looks different
    for (const t of document.querySelectorAll("time[data-rel]")) {
      const past = (Date.now() - Date.parse(t.dateTime)) / 1000;
      const text = t.dataset.rel === "ago"
        ? (past < 1 ? "just now" : `${rough(past)} ago`)
        : (past > -1 ? "now" : `in ${rough(-past)}`);
      if (t.textContent === text) continue;
      t.textContent = text;
      due ||= text === "now";
    }
    if (due) refresh();
  };

  // --- ids are copied by a click
  const showCopy = (root) => { for (const b of root.querySelectorAll(".copy")) b.hidden = !navigator.clipboard; };
  const said = document.getElementById("said");
  document.addEventListener("click", async (e) => {
    const b = e.target.closest?.(".copy");
    if (!b) return;
    try {
      await navigator.clipboard.writeText(b.dataset.copy);
      b.classList.add("copied");
      said.textContent = "Copied";
      setTimeout(() => b.classList.remove("copied"), 1200);
    } catch {
      said.textContent = "The browser did not allow copying; select the id instead.";
    }
  });

  // --- the start form and its twin in the terminal
  const command = document.getElementById("command");
  if (command) {
    const user = document.getElementById("user"), bank = document.getElementById("bank");
    const quote = (s) => (/^[\w.@-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`);
    const write = () => {
      command.textContent = `bankimport import --user ${quote(user.value || "u1")}` + (bank.value ? ` --bank ${bank.value}` : "");
    };
    user.addEventListener("input", write);
    bank.addEventListener("input", write);
    addEventListener("pageshow", write);
    write();
  }

  // --- parts of the page are rendered by the server and swapped in when they differ
  const plain = (part) => { // what was rendered, but for what changes with time alone
    const c = part.cloneNode(true);
    for (const t of c.querySelectorAll("time[data-rel]")) t.textContent = "";
    for (const t of c.querySelectorAll("time[title]")) t.removeAttribute("title");
    return c.innerHTML;
  };
  const shown = new Map(live(document).map((part) => [part.id, plain(part)]));
  const handle = (el) => el.id || el.dataset.copy || el.getAttribute("href") || el.tagName;
  const put = (old, fresh) => {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && handle(focused);
    old.replaceChildren(...fresh.childNodes);
    showCopy(old);
    if (key) [...old.querySelectorAll("a, button, summary")].find((el) => handle(el) === key)?.focus({ preventScroll: true });
  };
  const selecting = (part) => {
    const s = getSelection();
    return s && !s.isCollapsed && s.rangeCount > 0 && s.getRangeAt(0).intersectsNode(part);
  };
  const apply = (doc) => {
    const fresh = live(doc);
    if (fresh.map((p) => p.id).join() !== live(document).map((p) => p.id).join()) {
      location.reload(); // another kind of page, like an import that was not known before
      return;
    }
    if (document.title !== doc.title) document.title = doc.title;
    const before = document.querySelector("[data-say]")?.dataset.say;
    for (const part of fresh) {
      const old = document.getElementById(part.id), text = plain(part);
      if (shown.get(part.id) === text) continue;
      if (selecting(old)) { later = true; continue; } // somebody is about to copy from it
      put(old, part);
      shown.set(part.id, text);
    }
    const now = document.querySelector("[data-say]")?.dataset.say;
    if (now && now !== before) said.textContent = now;
    tick();
  };
  let busy = false, again = false, later = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const r = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (r.ok || r.status === 404) apply(new DOMParser().parseFromString(await r.text(), "text/html"));
    } catch { /* the stream says that the connection is broken, and tries again */ }
    busy = false;
    if (again) { again = false; refresh(); }
  };
  document.addEventListener("selectionchange", () => {
    if (later && getSelection().isCollapsed) { later = false; refresh(); }
  });

  // --- live only while somebody looks: browsers allow few connections
  const broken = document.getElementById("link");
  let stream = null, retry = 0;
  const connect = () => {
    clearTimeout(retry);
    if (stream || document.hidden) return;
    stream = new EventSource(document.body.dataset.events);
    stream.addEventListener("open", () => { broken.hidden = true; });
    stream.addEventListener("change", refresh);
    stream.addEventListener("error", () => {
      broken.hidden = false;
      if (stream?.readyState === EventSource.CLOSED) { stream = null; retry = setTimeout(connect, 5000); }
    });
  };
  const part = () => { clearTimeout(retry); stream?.close(); stream = null; };
  if (document.body.dataset.events) {
    // What a form was refused with is not at this address: leave it as it is.
    if (!document.querySelector(".problems")) {
      document.addEventListener("visibilitychange", () => (document.hidden ? part() : connect()));
      addEventListener("pagehide", part);
      addEventListener("pageshow", connect);
      connect();
    }
  }
  showCopy(document);
  tick();
  setInterval(tick, 1000);
})();
