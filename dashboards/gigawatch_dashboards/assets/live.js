// Keeps an open page in step with the server: asks for the version of its data, and writes its address.
(function () {
  const ASK_MS = 3000; // with drawing, what is stored is seen in less than 5 s
  const prefix = () => JSON.parse(document.getElementById("_dash-config").textContent).requests_pathname_prefix;
  const show = (id, props) => window.dash_clientside.set_props(id, props);
  let lost = null; // since when the server or its database has not answered
  let asking = false;
  const asked = new WeakMap(); // the version that was last asked for, by the page that asked

  // A changed version makes the page's parts come anew; the words on freshness and on the connection are written here.
  // A timer of our own, not dcc.Interval: Dash drops the answer of a callback that is asked again meanwhile.
  async function ask() {
    if (document.hidden || asking || !document.getElementById("connection")) return;
    asking = true;
    const here = new URL(window.location.href);
    try {
      const path = here.pathname.replace(prefix(), "/");
      const response = await fetch(prefix() + "version?path=" + encodeURIComponent(path), { cache: "no-store" });
      if (!response.ok) throw new Error(response.status === 503 ? "The database does not answer" : "The server fails");
      const answer = await response.json();
      if (document.getElementById("unavailable")) window.location.reload();
      if (lost) show("connection", { children: "" });
      lost = null;
      const drawn = document.getElementById("drawn");
      if (answer.version && drawn && drawn.dataset.of === answer.of && "live" in drawn.dataset) {
        if ((asked.get(drawn) || drawn.dataset.version) !== answer.version) {
          asked.set(drawn, answer.version);
          show({ part: "version", of: answer.of }, { data: answer.version });
        }
        const words = document.getElementById("freshness");
        if (words && answer.freshness && words.textContent !== answer.freshness) {
          show("freshness", { children: answer.freshness, className: "freshness " + answer.state });
        }
      }
    } catch (problem) {
      lost = lost || new Date();
      const why = problem instanceof TypeError ? "Gigawatch does not answer" : problem.message;
      const since = lost.toISOString().slice(11, 19) + "\u00a0UTC";
      show("connection", { children: why + " since " + since + ". What you see is older than that." });
    } finally {
      asking = false;
    }
  }
  window.setInterval(ask, ASK_MS);
  document.addEventListener("visibilitychange", ask);

  // What a control chooses goes into the address; a default leaves it, so that equal views have equal addresses.
  function address(range, colour, search) {
    const query = new URLSearchParams(search || "");
    const before = query.toString();
    range === "15m" ? query.delete("range") : query.set("range", range);
    colour === "status" ? query.delete("colour") : query.set("colour", colour);
    if (query.toString() === before) return window.dash_clientside.no_update;
    const found = query.toString();
    return found ? "?" + found : "";
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { gigawatch: { address } });

  document.addEventListener("click", (event) => {
    if (!event.target.closest || !event.target.closest("#scheme")) return;
    const root = document.documentElement;
    const next = root.getAttribute("data-mantine-color-scheme") === "dark" ? "light" : "dark";
    try {
      window.localStorage.setItem("mantine-color-scheme-value", next);
    } catch (denied) {
      /* storage is closed: the choice lasts until the page is left */
    }
    root.setAttribute("data-mantine-color-scheme", next);
  });

  // A part that is drawn anew takes the focus with it; who had it gets it back.
  let focused = null;
  document.addEventListener("focusin", (event) => {
    focused = event.target.id || null;
  });
  document.addEventListener("focusout", (event) => {
    const element = event.target;
    setTimeout(() => {
      if (element.isConnected && document.activeElement === document.body) focused = null;
    });
  });
  new MutationObserver(() => {
    if (!focused || document.activeElement !== document.body) return;
    const again = document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
