// Keys and playing. Without it every form still works.
"use strict";
(() => {
  const player = document.getElementById("player");
  const findings = [...document.querySelectorAll(".finding")];
  const lines = [...document.querySelectorAll("#dialogue li")];
  const keys = document.getElementById("keys");
  const LEAD_S = 1.0; // what was said just before, so that one hears how it came about
  const TAIL_S = 0.5;
  let current = -1;
  let stopAt = null;

  function play(start, end) {
    if (!player) return;
    player.currentTime = Math.max(0, start - (end === null ? 0 : LEAD_S));
    stopAt = end === null ? null : end + TAIL_S;
    player.play().catch(() => {});
  }

  function number(element, name) {
    const said = element.dataset[name];
    return said === undefined ? null : Number(said);
  }

  function choose(which) {
    if (!findings.length) return;
    current = Math.min(Math.max(which, 0), findings.length - 1);
    findings.forEach((finding, n) => finding.classList.toggle("current", n === current));
    findings[current].focus({ preventScroll: true });
    findings[current].scrollIntoView({ block: "nearest" });
  }

  function evidence() {
    const finding = findings[current];
    if (finding && finding.dataset.start !== undefined) play(number(finding, "start"), number(finding, "end"));
  }

  function press(scope, key) {
    const target = scope && scope.querySelector(`[data-key="${key}"]`);
    if (target) target.click();
  }

  if (player) {
    player.addEventListener("timeupdate", () => {
      if (stopAt !== null && player.currentTime >= stopAt) { player.pause(); stopAt = null; }
      lines.forEach((line) => line.classList.toggle(
        "now", number(line, "start") <= player.currentTime && player.currentTime < number(line, "end")));
    });
    player.addEventListener("error", () => { document.getElementById("audio-missing").hidden = false; });
    player.addEventListener("seeked", () => { player.dataset.seeked = player.currentTime; });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.play");
    if (button) play(number(button, "start"), number(button, "end"));
    const finding = event.target.closest(".finding");
    if (finding) current = findings.indexOf(finding);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) return;
    if (event.key === " " && event.target.matches("button, summary")) return; // the browser's own meaning
    const open = findings[current] && findings[current].querySelector(".rejection[open]");
    if (open && /^[1-9]$/.test(event.key)) {
      const reason = open.querySelector(`[data-digit="${event.key}"]`);
      if (reason) { event.preventDefault(); reason.click(); }
      return;
    }
    const does = {
      " ": () => { stopAt = null; if (player) player.paused ? player.play().catch(() => {}) : player.pause(); },
      ArrowLeft: () => { if (player) player.currentTime = Math.max(0, player.currentTime - 5); },
      ArrowRight: () => { if (player) player.currentTime += 5; },
      j: () => choose(current + 1),
      k: () => choose(current - 1),
      e: evidence,
      c: () => press(findings[current], "c"),
      r: () => press(findings[current], "r"),
      n: () => press(document.querySelector("main > .bar"), "n"),
      "?": () => { if (keys) keys.open ? keys.close() : keys.showModal(); },
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  const open = findings.findIndex((finding) => finding.classList.contains("open"));
  if (findings.length) choose(open === -1 ? 0 : open);
})();
