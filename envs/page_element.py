"""The script that says what an element of a page is, and how it can be found again."""

from __future__ import annotations

# A form's own names can stand in for its methods and properties (an <input name="getAttribute">), so those of the
# prototypes are used wherever a form may be met.
ELEMENT_JS = r"""
function () {
  const property = (type, name) => (node) => Object.getOwnPropertyDescriptor(type.prototype, name).get.call(node);
  const method = (name) => (node, ...given) => Element.prototype[name].apply(node, given);
  const parent = property(Node, "parentNode"), slot = property(Element, "assignedSlot");
  const content = property(Node, "textContent"), children = property(Element, "children");
  const id = property(Element, "id"), tagName = property(Element, "localName");
  const classes = property(Element, "classList"), title = property(Document, "title");
  const attribute = method("getAttribute"), matches = method("matches"), rect = method("getBoundingClientRect");
  const all = (root, css) => root instanceof Element ? Element.prototype.querySelectorAll.call(root, css)
    : root instanceof Document ? Document.prototype.querySelectorAll.call(root, css) : root.querySelectorAll(css);
  const plain = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const cut = (text) => plain(text).slice(0, 4000);
  const up = (node) => (node instanceof Element && slot(node)) || parent(node) || node.host;
  const MOST = 3000;

  const ROLES = ["button", "link", "checkbox", "radio", "switch", "tab", "menuitem", "menuitemcheckbox", "option",
    "menuitemradio", "treeitem", "combobox", "textbox", "searchbox", "slider", "spinbutton", "gridcell"];
  const CONTROL = ["a[href]", "area[href]", "button", "input", "select", "textarea", "summary", "option", "label",
    "[contenteditable='']", "[contenteditable='true']", "[onclick]:not(html, body)", "[tabindex='0']:not(html, body)",
    ...ROLES.map((role) => `[role="${role}"]`)].join();
  const NAMED = `${CONTROL}, h1, h2, h3, h4, h5, h6, img[alt], td, th, [aria-label], [aria-labelledby], [title],
    [role]`;
  const FROM_CONTENT = new Set([...ROLES.filter((role) => !["textbox", "searchbox", "combobox", "slider",
    "spinbutton"].includes(role)), "heading", "cell", "columnheader", "rowheader", "row", "tooltip"]);
  const HIDES = ["cc-number", "cc-csc", "one-time-code", "current-password", "new-password"];

  const roleOf = (element) => {
    const said = plain(attribute(element, "role")).split(" ")[0];
    if (said) return said;
    const tag = tagName(element);
    if (tag === "input") {
      const kind = element.type;
      if (["button", "submit", "reset", "image"].includes(kind)) return "button";
      if (["checkbox", "radio"].includes(kind)) return kind;
      if (kind === "range") return "slider";
      if (kind === "number") return "spinbutton";
      if (kind === "search") return attribute(element, "list") === null ? "searchbox" : "combobox";
      if (["text", "email", "tel", "url"].includes(kind))
        return attribute(element, "list") === null ? "textbox" : "combobox";
      return "";
    }
    if (tag === "select") return element.multiple || element.size > 1 ? "listbox" : "combobox";
    if (tag === "a" || tag === "area") return attribute(element, "href") === null ? "" : "link";
    if (tag === "img") return attribute(element, "alt") === "" ? "" : "img";
    if (/^h[1-6]$/.test(tag)) return "heading";
    return {button: "button", textarea: "textbox", option: "option", td: "cell", th: "columnheader", tr: "row",
      table: "table", li: "listitem", ul: "list", ol: "list", nav: "navigation", main: "main", dialog: "dialog",
      fieldset: "group", progress: "progressbar", meter: "meter"}[tag] ?? "";
  };

  // What stands in an element, with the words for its pictures and without what is not shown to readers.
  const wordsIn = (element, depth = 0) => {
    if (depth > 20 || !all(element, "img, [aria-label], [aria-hidden], script, style").length)
      return content(element) ?? "";
    let words = "";
    for (const node of element.childNodes) {
      if (node instanceof Text) words += node.data;
      else if (node instanceof Element) {
        const tag = tagName(node);
        if (tag === "script" || tag === "style" || attribute(node, "aria-hidden") === "true") continue;
        const said = attribute(node, "aria-label") ?? (tag === "img" ? attribute(node, "alt") ?? "" : null);
        words += said ?? wordsIn(node, depth + 1);
      }
    }
    return words;
  };

  const nameOf = (element) => {
    const root = element.getRootNode();
    const by = plain(attribute(element, "aria-labelledby"));
    if (by && root.getElementById) {
      const its = by.split(" ").map((one) => root.getElementById(one)).filter((one) => one);
      const words = plain(its.map((one) => wordsIn(one)).join(" "));
      if (words) return words;
    }
    const said = plain(attribute(element, "aria-label"));
    if (said) return said;
    const tag = tagName(element);
    if (tag === "input" && ["button", "submit", "reset"].includes(element.type)) {
      const value = plain(element.value) || {submit: "Submit", reset: "Reset"}[element.type];
      if (value) return value;
    }
    if (tag === "img" || tag === "area" || (tag === "input" && element.type === "image")) {
      const alt = plain(attribute(element, "alt"));
      if (alt) return alt;
    }
    if (["input", "select", "textarea", "button", "meter", "progress", "output"].includes(tag)) {
      const words = plain([...element.labels ?? []].map((label) => labelWords(label, element)).join(" "));
      if (words) return words;
    }
    if (FROM_CONTENT.has(roleOf(element)) || tag === "label" || tag === "summary") {
      const words = plain(wordsIn(element));
      if (words) return words;
    }
    return plain(attribute(element, "title")) || plain(attribute(element, "placeholder"));
  };
  const labelWords = (label, control) => {
    let words = "";
    for (const node of label.childNodes) {
      if (node instanceof Text) words += node.data;
      else if (node instanceof Element && node !== control && !matches(node, "select, textarea, input"))
        words += node.contains(control) ? labelWords(node, control) : wordsIn(node);
    }
    return words;
  };

  const textOf = (element) => {
    const tag = tagName(element);
    if (tag === "input") {
      const meant = plain(attribute(element, "autocomplete"));
      const hides = element.type === "password" || HIDES.some((one) => meant.includes(one));
      return hides || ["checkbox", "radio", "file", "hidden", "image"].includes(element.type) ? "" : element.value;
    }
    if (tag === "textarea") return element.value;
    if (tag === "select") return [...element.selectedOptions].map((option) => option.text).join(", ");
    return element instanceof HTMLElement ? element.innerText : content(element);
  };

  const nearOf = (element, own) => {
    const without = (text) => plain(plain(text).replace(own, " "));
    for (const label of element.labels ?? []) {
      const words = plain(labelWords(label, element));
      if (words) return words;
    }
    let node = element;
    for (let level = 0; level < 6; level += 1) {
      const outer = up(node);
      if (!(outer instanceof HTMLElement) || outer === document.body) break;
      const words = (content(outer) ?? "").length > 20000 ? "" : without(outer.innerText);
      if (words) return words;
      node = outer;
    }
    for (let node = element; node instanceof Element; node = up(node))
      for (let before = node.previousElementSibling; before; before = before.previousElementSibling)
        if (before instanceof HTMLElement && plain(before.innerText)) return plain(before.innerText);
    return "";
  };

  const isStable = (word) => {
    if (!word || word.length > 60 || /\d{3,}|[:\[\]()]/.test(word)) return false;
    if (/^(css|sc|jsx|jss|svelte|emotion|_ngcontent)-/.test(word)) return false;
    if (/^(ember|yui|ext|gwt|radix|headlessui|mui)[-_]?\w*\d/i.test(word)) return false;
    return word.split(/[-_.]+/).every((part) =>
      part.length < 5 || !/\d/.test(part) || /^[a-z]+\d{1,2}$/i.test(part) || /^\d{1,2}[a-z]+$/i.test(part));
  };
  const quoted = (text) => `"${text.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\a ")}"`;

  let node = this instanceof Element ? this : up(this);
  const OF_THE_BROWSER = /^(input|textarea|select|video|audio|progress|meter|use|details|option|optgroup|img|object)$/;
  for (let root = node?.getRootNode(); root instanceof ShadowRoot && OF_THE_BROWSER.test(tagName(root.host));
       root = node.getRootNode()) node = root.host;
  if (!(node instanceof Element)) return null;
  let element = node;
  for (let level = 0, outer = node; level < 8 && outer instanceof Node; level += 1, outer = up(outer))
    if (outer instanceof Element && matches(outer, CONTROL)) { element = outer; break; }

  const roots = [document];
  for (const root of roots)
    for (const one of all(root, "*")) if (one.shadowRoot instanceof ShadowRoot) roots.push(one.shadowRoot);
  const found = (css) => {
    try { return roots.flatMap((root) => [...all(root, css)]); } catch { return []; }
  };
  const isAlone = (css) => { const hits = found(css); return hits.length === 1 && hits[0] === element; };
  const root = element.getRootNode(), isReachable = roots.includes(root);

  const tag = tagName(element), role = roleOf(element), name = nameOf(element);
  const selectors = [], put = (selector) => { if (!selectors.includes(selector)) selectors.push(selector); };
  const putCss = (css) => {
    if (isAlone(css)) put(root === document ? css : `pierce/${css}`);
  };
  if (isReachable) {
    if (isStable(id(element))) putCss(`#${CSS.escape(id(element))}`);
    for (const test of ["data-testid", "data-test-id", "data-test", "data-qa", "data-cy"]) {
      const value = attribute(element, test);
      if (value) putCss(`[${test}=${quoted(value)}]`);
    }
    if (name && name.length <= 100 && role) {
      const candidates = found(NAMED);
      const alike = candidates.length > MOST ? [] :
        candidates.filter((one) => one.checkVisibility() && roleOf(one) && nameOf(one) === name);
      if (alike.length === 1 && alike[0] === element) put(`aria/${name}`);
      else if (alike.includes(element) && alike.filter((one) => roleOf(one) === role).length === 1)
        put(`aria/${name}[role="${role}"]`);
    }
    for (const known of ["name", "aria-label", "placeholder", "for", "href", "alt", "title", "value", "type"]) {
      const value = attribute(element, known);
      if (value && value.length <= 100) putCss(`${CSS.escape(tag)}[${known}=${quoted(value)}]`);
    }
    for (const word of classes(element)) if (isStable(word)) putCss(`${CSS.escape(tag)}.${CSS.escape(word)}`);
    const words = plain(textOf(element));
    if (words && words.length <= 60 && !["input", "textarea", "select"].includes(tag)) {
      const deepest = (outer) => {
        if (["script", "style", "head", "noscript"].includes(tagName(outer))) return [];
        if (!(content(outer) ?? "").includes(words)) return [];
        const inner = [...children(outer)].flatMap(deepest);
        return inner.length ? inner : [outer];
      };
      const hits = roots.flatMap((one) => [...one.children].flatMap(deepest));
      if (hits.length === 1 && (hits[0] === element || element.contains(hits[0]))) put(`text/${words}`);
    }
    let path = "", outer = element;
    for (; outer instanceof Element; outer = parent(outer)) {
      if (outer !== element && isStable(id(outer)) && found(`#${CSS.escape(id(outer))}`).length === 1) {
        path = `#${CSS.escape(id(outer))}${path}`;
        break;
      }
      const above = parent(outer), its = tagName(outer);
      const same = above instanceof Element ? [...children(above)].filter((one) => tagName(one) === its) : [outer];
      path = ` > ${CSS.escape(its)}${same.length > 1 ? `:nth-of-type(${same.indexOf(outer) + 1})` : ""}${path}`;
    }
    if (path.split(" > ").length < 30) putCss(path.replace(/^ > /, ""));
    if (root === document) {
      let way = "";
      for (let one = element; one instanceof Element; one = parent(one)) {
        const above = parent(one), its = tagName(one);
        const step = one instanceof HTMLElement ? its : `*[local-name()="${its}"]`;
        const same = above instanceof Element ? [...children(above)].filter((other) => tagName(other) === its) : [one];
        way = `/${step}${same.length > 1 ? `[${same.indexOf(one) + 1}]` : ""}${way}`;
      }
      put(`xpath/${way}`);
    }
  }

  const frame = [];
  for (let one = window; one !== one.parent; one = one.parent) {
    let at = 0;
    while (at < one.parent.length && one.parent[at] !== one) at += 1;
    frame.unshift(at);
  }
  const box = rect(element), hit = rect(this instanceof Element ? this : node), own = plain(textOf(element));
  const shown = ["input", "textarea", "select"].includes(tag) ? "" : own;
  return {
    tag, role, name: cut(name), text: cut(own), near: cut(nearOf(element, shown)), selectors, frame,
    title: window === window.top ? title(document) : null,
    box: [box.left, box.top, box.width, box.height], hit: [hit.left, hit.top],
  };
}
"""
