// Filters, sorts and enlarges what the page already holds. Nothing is made from text but text.

const byId = (id) => document.getElementById(id);
const root = document.documentElement;

function otherTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
}

function startGallery(list) {
  const shots = [...list.children];
  const words = (shot) => [...shot.querySelectorAll(".instruction, .raw")].map((part) => part.textContent).join(" ");
  const texts = new Map(shots.map((shot) => [shot, words(shot).toLowerCase()]));
  const tools = byId("tools");
  const large = byId("large");
  let at = null;

  const shown = () => [...list.children].filter((shot) => !shot.hidden);

  function filter() {
    const kinds = new Set([...tools.querySelectorAll("#kinds :checked")].map((box) => box.value));
    const group = byId("group")?.value ?? "";
    const wanted = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const shot of shots) {
      const isOfGroup = !group || shot.dataset.groups.split(" ").includes(group);
      shot.hidden = !(kinds.has(shot.dataset.kind) && isOfGroup && wanted.every((word) => texts.get(shot).includes(word)));
    }
    const count = shown().length;
    byId("shown").textContent = `${count} shown`;
    byId("none").hidden = count > 0;
  }

  function sort() {
    const chosen = byId("sort")?.selectedOptions[0];
    if (!chosen) return;
    const sign = "down" in chosen.dataset ? -1 : 1;
    const value = (shot) => (shot.dataset[chosen.value] === "" ? null : sign * Number(shot.dataset[chosen.value]));
    const number = (shot) => Number(shot.dataset.number);
    // What has no such figure comes last.
    const before = (one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === null || b === null) return (a === null) - (b === null) || number(one) - number(other);
      return a - b || number(one) - number(other);
    };
    list.append(...[...shots].sort(before));
  }

  function enlarge(shot) {
    at = shot;
    byId("closer").replaceChildren(...[...shot.children].map((child) => child.cloneNode(true)));
    if (!large.open) large.showModal();
    large.scrollTop = 0;
  }

  function step(by) {
    const all = shown();
    if (!all.length) return;
    const here = all.indexOf(large.open ? at : document.activeElement);
    const next = all[Math.min(Math.max(here + by, 0), all.length - 1)];
    if (large.open) enlarge(next);
    else next.focus();
  }

  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("input", (event) => {
    if (event.target.id === "sort") sort();
    else if (event.target.id === "heat") document.body.classList.toggle("heated", event.target.checked);
    else filter();
  });
  list.addEventListener("click", (event) => {
    const shot = event.target.closest(".shot");
    if (shot && !String(getSelection())) enlarge(shot);
  });
  byId("close").addEventListener("click", () => large.close());
  large.addEventListener("click", (event) => event.target === large && large.close());
  large.addEventListener("close", () => at?.focus());
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input[type=search], select");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && isTyping) event.target.blur();
    if (isTyping) return;
    const isShot = event.target.matches(".shot");
    const isOurs = !event.target.closest("a, button, summary, input"); // which keys mean something to
    if (event.key === "/") byId("search").focus();
    else if (event.key === "Enter" && isOurs && !large.open && shown().length) enlarge(isShot ? event.target : shown()[0]);
    else if (event.key === "ArrowRight" && (isOurs || large.open)) step(1);
    else if (event.key === "ArrowLeft" && (isOurs || large.open)) step(-1);
    else return;
    event.preventDefault();
  });
  filter(); // a browser may have kept what was chosen before
  sort();
}

byId("theme").addEventListener("click", otherTheme);
document.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.target.matches("input, select")) otherTheme();
});
if (byId("cards")) startGallery(byId("cards"));
root.dataset.ready = "";
