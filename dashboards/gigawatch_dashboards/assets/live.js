// Keeps an open page in step with the server: asks for the version of its data, and writes its address.
(function () {
  const unchanged = () => window.dash_clientside.no_update;
  const prefix = () => JSON.parse(document.getElementById("_dash-config").textContent).requests_pathname_prefix;
  let lost = null; // since when the server or its database has not answered
  let asking = false;

  function clock(moment) {
    return moment.toISOString().slice(11, 19) + "\u00a0UTC";
  }

  // Every few seconds: a changed version makes the page's parts come anew; the words on freshness are written here.
  async function ask() {
    const here = new URL(window.location.href);
    if (document.hidden || asking) return unchanged();
    asking = true;
    try {
      const path = here.pathname.replace(prefix(), "/");
      const response = await fetch(prefix() + "version?path=" + encodeURIComponent(path), { cache: "no-store" });
      if (!response.ok) throw new Error(response.status === 503 ? "The database does not answer" : "The server fails");
      const answer = await response.json();
      if (lost && document.getElementById("unavailable")) window.location.reload();
      lost = null;
      if (answer.version && !here.searchParams.has("at")) {
        window.dash_clientside.set_props({ part: "version", of: answer.of }, { data: answer.version });
        const words = document.getElementById("freshness");
        if (words && answer.freshness && words.textContent !== answer.freshness) {
          window.dash_clientside.set_props("freshness", {
            children: answer.freshness,
            className: "freshness " + answer.state,
          });
        }
      }
      return "";
    } catch (problem) {
      lost = lost || new Date();
      const why = problem instanceof TypeError ? "Gigawatch does not answer" : problem.message;
      return why + " since " + clock(lost) + ". What you see is older than that.";
    } finally {
      asking = false;
    }
  }

  // What a control chooses goes into the address; a default leaves it, so that equal views have equal addresses.
  function address(range, colour, search) {
    const query = new URLSearchParams(search || "");
    const before = query.toString();
    range === "15m" ? query.delete("range") : query.set("range", range);
    colour === "status" ? query.delete("colour") : query.set("colour", colour);
    if (query.toString() === before) return unchanged();
    const found = query.toString();
    return found ? "?" + found : "";
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { gigawatch: { ask, address } });

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
