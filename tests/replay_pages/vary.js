// Keeps the truth in window.hits: the data-name of whatever got a click. Changes the page as ?vary= says, once loaded.
window.hits = []
const named = (path) => (path.find((node) => node.dataset?.name)?.dataset.name) ?? path[0].localName ?? "document"
addEventListener("click", (event) => { if (event.isTrusted) hits.push(named(event.composedPath())) }, true)
const vary = new URLSearchParams(location.search).get("vary") ?? "unchanged"
const deep = (root, css) => root.querySelector(css) ?? [...root.querySelectorAll("*")].map(
  (node) => node.shadowRoot ? deep(node.shadowRoot, css)
    : node.localName === "iframe" && node.contentDocument ? deep(node.contentDocument, css) : null).find((node) => node)
const target = () => deep(document, "[data-target]")
function rect(node) { // CSS px of the view
  let { left, top, width, height } = node.getBoundingClientRect()
  const frame = node.ownerDocument.defaultView.frameElement
  if (frame) { const outer = frame.getBoundingClientRect(); left += outer.left + frame.clientLeft; top += outer.top + frame.clientTop }
  return { left, top, width, height }
}
window.place = (css) => {
  const { left, top, width, height } = rect(deep(document, css))
  return [left + width / 2, top + height / 2]
}
const STYLE = `body, button, input, td, li, a { font-family: serif !important }
button, [role=button], [role=menuitem], [role=tab] { background: #2b4a3f !important; color: #fff !important; border-radius: 12px !important }
body { background: #fdf6e3 !important }`
const changes = {
  unchanged() {},
  moved() { document.documentElement.style.paddingTop = "40px" },
  restyled() {
    const roots = [document.head]
    for (const node of document.querySelectorAll("*")) {
      if (node.shadowRoot) roots.push(node.shadowRoot)
      if (node.localName === "iframe" && node.contentDocument) roots.push(node.contentDocument.head)
    }
    for (const root of roots) root.append(Object.assign(document.createElement("style"), { textContent: STYLE }))
    window.restyle?.()
  },
  renamed() { (window.rename ?? (() => { const node = target(); node.textContent = node.dataset.renamed }))() },
  delayed() {
    document.body.style.visibility = "hidden"
    document.body.style.pointerEvents = "none"
    setTimeout(() => document.body.removeAttribute("style"), 2000)
  },
  covered() { cover(); setInterval(cover, 20) },
  removed() { (window.drop ?? (() => target().remove()))() },
}
function cover() { // as soon as the target is shown, and wherever it is then
  if (!target()) return
  const { left, top, width, height } = rect(target())
  if (!width) return
  let banner = document.querySelector("[data-name=banner]")
  if (!banner) {
    banner = document.createElement("div")
    banner.dataset.name = "banner"
    banner.innerHTML = "<b>We value your privacy</b><p>Cookies help us to serve you better.</p><button>Accept all</button>"
    document.documentElement.append(banner)
  }
  banner.style = `position: fixed; z-index: 2147483647; background: #334; color: #fff; padding: 10px; overflow: hidden;
    box-sizing: border-box; left: ${left - 60}px; top: ${top - 45}px; width: ${width + 160}px; height: ${height + 90}px`
}
addEventListener("load", () => { changes[vary](); document.documentElement.dataset.ready = "yes" })
