"""The script that says what an element of a page is, and how it can be found again."""

from __future__ import annotations

# A form's own names can stand in for its methods and properties (an <input name="getAttribute">), and those of forms,
# pictures and frames for the document's, so the prototypes' are used wherever one of them may be met.
ELEMENT_JS = r"""
function () {
  const property = (type, name) => {
    const get = Object.getOwnPropertyDescriptor(type.prototype, name).get;
    return (node) => get.call(node);
  };
  const method = (type, name) => {
    const call = type.prototype[name];
    return (node, ...given) => call.apply(node, given);
  };
  const parent = property(Node, "parentNode"), slot = property(Element, "assignedSlot");
  const content = property(Node, "textContent"), nodes = property(Node, "childNodes");
  const first = property(Element, "firstElementChild"), next = property(Element, "nextElementSibling");
  const previous = property(Element, "previousElementSibling"), innerText = property(HTMLElement, "innerText");
  const id = property(Element, "id"), tagName = property(Element, "localName");
  const classes = property(Element, "classList");
  const title = property(Document, "title"), body = property(Document, "body");
  const shadow = property(Element, "shadowRoot"), host = property(ShadowRoot, "host");
  const rootOf = method(Node, "getRootNode"), contains = method(Node, "contains");
  const attribute = method(Element, "getAttribute"), matches = method(Element, "matches");
  const rect = method(Element, "getBoundingClientRect"), hasBox = method(Element, "checkVisibility");
  const evaluate = method(Document, "evaluate"), byTag = method(Document, "getElementsByTagName");
  const byId = (root, name) => root instanceof Document ? Document.prototype.getElementById.call(root, name)
    : root instanceof DocumentFragment ? DocumentFragment.prototype.getElementById.call(root, name) : null;
  const all = (root, css) => root instanceof Element ? Element.prototype.querySelectorAll.call(root, css)
    : root instanceof Document ? Document.prototype.querySelectorAll.call(root, css) : root.querySelectorAll(css);
  const plain = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const cut = (text) => plain(text).slice(0, 4000);
  const up = (node) => (node instanceof Element && slot(node)) || parent(node)
    || (node instanceof ShadowRoot ? host(node) : null);
  const MOST = 3000;  // elements whose names are compared
  const MOST_ELEMENTS = 25000;  // of a page: in larger ones, shadow roots and words are not looked for
  const MOST_CHARACTERS = 4e6;  // read in looking for words
  const LARGEST_TEXT = 20000, MOST_BEFORE = 300, SHORT = 3;

  const ROLES = ["button", "link", "checkbox", "radio", "switch", "tab", "menuitem", "menuitemcheckbox", "option",
    "menuitemradio", "treeitem", "combobox", "textbox", "searchbox", "slider", "spinbutton", "gridcell"];
  const CONTROL = ["a[href]", "area[href]", "button", "input", "select", "textarea", "summary", "option", "label",
    "[contenteditable='']", "[contenteditable='true']", "[onclick]:not(html, body)", "[tabindex='0']:not(html, body)",
    ...ROLES.map((role) => `[role="${role}"]`)].join();
  const NAMED = `${CONTROL}, h1, h2, h3, h4, h5, h6, img[alt], td, th, [aria-label], [aria-labelledby], [title],
    [role]`;
  const FROM_CONTENT = new Set([...ROLES.filter((role) => !["textbox", "searchbox", "combobox", "slider",
    "spinbutton"].includes(role)), "heading", "cell", "columnheader", "rowheader", "row", "tooltip"]);
  const UNREAD = new Set(["script", "style", "template", "noscript", "head"]);
  const LABELED = new Set(["input", "select", "textarea", "button", "meter", "progress", "output"]);
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
    if (depth > 20 || !all(element, "img, [aria-label], [aria-hidden], script, style, noscript").length)
      return content(element) ?? "";
    let words = "";
    for (const node of nodes(element)) {
      if (node instanceof Text) words += node.data;
      else if (node instanceof Element) {
        const tag = tagName(node);
        if (UNREAD.has(tag) || attribute(node, "aria-hidden") === "true") continue;
        const said = attribute(node, "aria-label") ?? (tag === "img" ? attribute(node, "alt") ?? "" : null);
        words += said ?? wordsIn(node, depth + 1);
      }
    }
    return words;
  };

  const nameOf = (element) => {
    const root = rootOf(element);
    const by = plain(attribute(element, "aria-labelledby"));
    if (by) {
      const its = by.split(" ").map((one) => byId(root, one)).filter((one) => one);
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
    if (LABELED.has(tag)) {
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
    for (const node of nodes(label)) {
      if (node instanceof Text) words += node.data;
      else if (node instanceof Element && node !== control && !matches(node, "select, textarea, input"))
        words += contains(node, control) ? labelWords(node, control) : wordsIn(node);
    }
    return words;
  };

  const hides = (field) => {
    const meant = plain(attribute(field, "autocomplete"));
    return field.type === "password" || HIDES.some((one) => meant.includes(one))
      || (getComputedStyle(field).webkitTextSecurity || "none") !== "none";
  };
  const textOf = (element) => {
    const tag = tagName(element);
    if (tag === "input") {
      const isShown = !["checkbox", "radio", "file", "hidden", "image"].includes(element.type);
      return isShown && !hides(element) ? element.value : "";
    }
    if (tag === "textarea") return hides(element) ? "" : element.value;
    if (tag === "select") return [...element.selectedOptions].map((option) => option.text).join(", ");
    const whole = content(element) ?? "";
    if (whole.length > 5 * LARGEST_TEXT) return "";
    return element instanceof HTMLElement ? innerText(element) : whole;
  };
  const isRendered = (element) => hasBox(element) || getComputedStyle(element).display === "contents";

  const nearOf = (element, own) => {
    const without = (text) => plain(plain(text).replace(own, " "));
    for (const label of LABELED.has(tagName(element)) ? element.labels ?? [] : []) {
      const words = plain(labelWords(label, element));
      if (words) return words;
    }
    let node = element;
    for (let level = 0; level < 6; level += 1) {
      const outer = up(node);
      if (!(outer instanceof HTMLElement) || outer === body(document)) break;
      if ((content(outer) ?? "").length > LARGEST_TEXT) break;
      const words = without(innerText(outer));
      if (words) return words;
      node = outer;
    }
    let left = MOST_BEFORE;
    for (let node = element; node instanceof Element; node = up(node))
      for (let before = previous(node); before && left; before = previous(before), left -= 1) {
        if (!(before instanceof HTMLElement) || UNREAD.has(tagName(before)) || !isRendered(before)) continue;
        const words = (content(before) ?? "").length > LARGEST_TEXT ? "" : plain(innerText(before));
        if (words) return words;
      }
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
  for (let root = node && rootOf(node); root instanceof ShadowRoot && OF_THE_BROWSER.test(tagName(host(root)));
       root = rootOf(node)) node = host(root);
  if (!(node instanceof Element)) return null;
  let element = node;
  for (let level = 0, outer = node; level < 8 && outer instanceof Node; level += 1, outer = up(outer))
    if (outer instanceof Element && matches(outer, CONTROL)) { element = outer; break; }
  const tag = tagName(element), role = roleOf(element), name = nameOf(element), own = plain(textOf(element));
  const secret = ["input", "textarea"].includes(tag) && hides(element) ? element.value : "";
  const tells = (text) => secret.length >= SHORT && text.includes(secret);

  const selectorsOf = () => {
    const selectors = [], root = rootOf(element), roots = [document];
    const put = (selector) => { if (!selectors.includes(selector) && !tells(selector)) selectors.push(selector); };
    let left = MOST_ELEMENTS - byTag(document, "*").length;
    for (let at = 0; at < roots.length && left >= 0; at += 1)
      for (const one of all(roots[at], "*")) {
        const inner = shadow(one);
        if (!(inner instanceof ShadowRoot)) continue;
        roots.push(inner);
        left -= all(inner, "*").length;
      }
    const isLarge = left < 0;
    if (isLarge) roots.length = 1;
    if (!roots.includes(root)) return [];

    const isAlone = (css) => {
      let found = null;
      for (const one of roots) {
        const hits = all(one, css);
        if (hits.length > 1 || (found && hits.length)) return false;
        found ??= hits[0];
      }
      return found === element;
    };
    const putCss = (css) => { if (isAlone(css)) put(root === document ? css : `pierce/${css}`); };

    if (isStable(id(element))) putCss(`#${CSS.escape(id(element))}`);
    for (const test of ["data-testid", "data-test-id", "data-test", "data-qa", "data-cy"]) {
      const value = attribute(element, test);
      if (value) putCss(`[${test}=${quoted(value)}]`);
    }
    if (name && name.length <= 100 && role && !isLarge) {
      const candidates = roots.map((one) => all(one, NAMED));
      const isAlike = (one) => {
        try { return hasBox(one) && roleOf(one) && nameOf(one) === name; } catch { return true; }  // it may be
      };
      const num = candidates.reduce((sum, hits) => sum + hits.length, 0);
      const alike = num > MOST ? [] : candidates.flatMap((hits) => [...hits]).filter(isAlike);
      if (alike.length === 1 && alike[0] === element) put(`aria/${name}`);
      else if (alike.includes(element) && alike.filter((one) => roleOf(one) === role).length === 1)
        put(`aria/${name}[role="${role}"]`);
    }
    const isFixed = tag === "button" || tag === "option"
      || (tag === "input" && ["button", "submit", "reset", "radio", "checkbox"].includes(element.type));
    for (const known of ["name", "aria-label", "placeholder", "for", "href", "alt", "title", "value", "type"]) {
      const value = known === "value" && !isFixed ? null : attribute(element, known);
      if (value && value.length <= 100) putCss(`${CSS.escape(tag)}[${known}=${quoted(value)}]`);
    }
    for (const word of classes(element)) if (isStable(word)) putCss(`${CSS.escape(tag)}.${CSS.escape(word)}`);
    if (own && own.length <= 60 && !isLarge && !["input", "textarea", "select"].includes(tag)) {
      const hit = onlyOneThatSays(own, roots);
      if (hit && contains(element, hit)) put(`text/${own}`);
    }
    let path = "", outer = element;
    for (; outer instanceof Element; outer = parent(outer)) {
      const anchor = outer !== element && isStable(id(outer)) ? `#${CSS.escape(id(outer))}` : "";
      if (anchor && roots.reduce((sum, one) => sum + all(one, anchor).length, 0) === 1) {
        path = `${anchor}${path}`;
        break;
      }
      const number = numberOf(outer);
      path = ` > ${CSS.escape(tagName(outer))}${number ? `:nth-of-type(${number})` : ""}${path}`;
    }
    if (path.split(" > ").length < 30) putCss(path.replace(/^ > /, ""));
    if (root === document) {
      let way = "";
      for (let one = element; one instanceof Element; one = parent(one)) {
        const number = numberOf(one), its = tagName(one);
        const step = one instanceof HTMLElement ? its : `*[local-name()="${its}"]`;
        way = `/${step}${number ? `[${number}]` : ""}${way}`;
      }
      put(`xpath/${way}`);
    }
    return selectors;
  };

  // The innermost element that says it, of all; null for several, or where there is too much to read.
  const onlyOneThatSays = (words, roots) => {
    let left = MOST_CHARACTERS, only = null;
    const says = (one) => {
      if (UNREAD.has(tagName(one))) return false;
      const text = content(one) ?? "";
      left -= text.length;
      return text.includes(words);
    };
    const open = roots.flatMap((root) => [...nodes(root)].filter((one) => one instanceof Element && says(one)));
    while (open.length && left > 0) {
      const outer = open.pop(), num = open.length;
      for (let one = first(outer); one; one = next(one)) if (says(one)) open.push(one);
      if (open.length > num) continue;
      if (only) return null;
      only = outer;
    }
    return left > 0 ? only : null;
  };

  // Which one it is of those of its kind beside it, from 1; 0 where it is the only one.
  const numbers = new Map();
  const numberOf = (one) => {
    if (!(parent(one) instanceof Element) || matches(one, ":only-of-type")) return 0;
    if (!numbers.has(one)) {
      const kin = `count(preceding-sibling::*[local-name()="${tagName(one)}"])`;
      numbers.set(one, evaluate(document, kin, one, null, XPathResult.NUMBER_TYPE, null).numberValue + 1);
    }
    return numbers.get(one);
  };

  const frame = [];
  for (let one = window; one !== one.parent; one = one.parent) {
    let at = 0;
    while (at < one.parent.length && one.parent[at] !== one) at += 1;
    frame.unshift(at);
  }
  const box = rect(element), hit = rect(this instanceof Element ? this : node);
  const near = nearOf(element, ["input", "textarea", "select"].includes(tag) ? "" : own);
  const safe = (text) => cut(tells(text) ? text.replaceAll(secret, "***") : text);
  return {
    tag, role, name: safe(name), text: cut(own), near: safe(near), selectors: selectorsOf(), frame,
    title: window === window.top ? title(document) : null,
    box: [box.left, box.top, box.width, box.height], hit: [hit.left, hit.top],
  };
}
"""
