"use strict";
// The explanation of a number beside it, for a pointer that rests on its "?" or a "?" in focus; Escape closes it.
(() => {
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  bubble.id = "bubble";
  bubble.setAttribute("role", "tooltip");
  bubble.hidden = true;
  document.body.append(bubble);
  let asked = null;

  const hide = () => {
    bubble.hidden = true;
    if (asked) asked.removeAttribute("aria-describedby");
    asked = null;
  };
  const show = (link) => {
    const term = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!term || !term.nextElementSibling) return;
    hide();
    asked = link;
    const name = document.createElement("strong");
    name.textContent = term.textContent;
    bubble.replaceChildren(name, ` ${term.nextElementSibling.textContent}`);
    bubble.hidden = false;
    link.setAttribute("aria-describedby", "bubble");
    const box = link.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const left = Math.min(Math.max(8, box.left), Math.max(8, width - bubble.offsetWidth - 8));
    const below = box.bottom + 6;
    const fits = below + bubble.offsetHeight < innerHeight || box.top < bubble.offsetHeight + 6;
    bubble.style.left = `${left}px`;
    bubble.style.top = `${fits ? below : box.top - bubble.offsetHeight - 6}px`;
  };
  for (const link of document.querySelectorAll("a.why")) {
    link.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(link); });
    link.addEventListener("pointerleave", hide);
    link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(link); });
    link.addEventListener("blur", hide);
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });
})();
