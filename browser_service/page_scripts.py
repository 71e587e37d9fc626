"""What is run inside a page: JavaScript, given to Playwright as it is."""

from importlib.resources import files

# Makes what a document is remembered by: the numbers of its elements. Dies with the document.
REMEMBER = "() => ({ ids: new WeakMap(), elements: new Map() })"

# Runs with what REMEMBER made. Returns the element with the number, or null when it is gone.
ELEMENT = "(memory, id) => { const e = memory.elements.get(id)?.deref(); return e && e.isConnected ? e : null; }"

_FOLDER = files(__package__ or "browser_service")
PART = _FOLDER.joinpath("page_part.js").read_text(encoding="utf-8")
SNAPSHOT = _FOLDER.joinpath("page_snapshot.js").read_text(encoding="utf-8")

# Runs in the page. Looks into open shadow roots, leaves out what is not shown, and bounds everything it returns.
READ = """
(maxTextChars) => {
  const MAX_ELEMENTS = 200000, MAX_ITEMS = 1000, MAX_LABEL = 1000;
  const elements = [], hosts = [];
  const collect = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (elements.length >= MAX_ELEMENTS) return;
      elements.push(element);
      if (element.shadowRoot) { hosts.push(element); collect(element.shadowRoot); }
    }
  };
  collect(document);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: false });
  const label = (element) => String(
    element.getAttribute('aria-label') || element.innerText || element.textContent || element.title || ''
  ).trim().slice(0, MAX_LABEL);
  const named = (element) => {
    const text = label(element);
    if (text) return text;
    const image = element.querySelector('img[alt], svg[aria-label]');
    return image ? String(image.getAttribute('alt') || image.getAttribute('aria-label') || '').slice(0, MAX_LABEL) : '';
  };
  let isCut = false;
  const bounded = (items) => {  // each kind of thing may be as long, as JSON, as the text may be
    let left = maxTextChars;
    const kept = items.filter((item) => (left -= JSON.stringify(item).length) >= 0);
    isCut ||= kept.length < items.length;
    return kept;
  };
  const pick = (selector) => elements.filter((e) => e.matches(selector) && isShown(e)).slice(0, MAX_ITEMS);
  const meta = (name) => document.querySelector(`meta[name="${name}" i], meta[property="og:${name}" i]`)?.content || '';
  const fieldName = (field) => String(
    field.labels?.[0]?.innerText || field.getAttribute('aria-label') || field.placeholder || field.name || field.id
      || ''
  ).trim().slice(0, MAX_LABEL);
  const cell = (element) => String(element.innerText).trim().slice(0, MAX_LABEL);
  const table = (element) => {
    const rows = [...element.rows].slice(0, MAX_ITEMS);
    isCut ||= element.rows.length > rows.length;
    const first = rows[0] ? [...rows[0].cells] : [];
    return {
      header: first.length > 0 && (rows[0].parentElement.tagName === 'THEAD' || first.every((c) => c.tagName === 'TH')),
      rows: bounded(rows.map((row) => [...row.cells].slice(0, 100).map(cell))),
    };
  };
  let text = String(document.body?.innerText ?? document.documentElement?.textContent ?? '');
  for (const host of hosts) {
    if (!isShown(host)) continue;
    for (const child of host.shadowRoot.children) {
      if (!['STYLE', 'SCRIPT', 'TEMPLATE', 'LINK'].includes(child.tagName)) text += '\\n' + (child.innerText || '');
    }
  }
  const content = {
    url: location.href.slice(0, MAX_LABEL),
    title: document.title.slice(0, MAX_LABEL),
    description: meta('description').slice(0, MAX_LABEL),
    headings: bounded(pick('h1, h2, h3, h4, h5, h6, [role=heading]').map((heading) => ({
      level: Number(heading.getAttribute('aria-level')) || Number(heading.tagName[1]) || 2, text: label(heading),
    })).filter((heading) => heading.text)),
    links: bounded(pick('a[href], area[href]').map((link) => ({ text: named(link), url: String(link.href) }))
      .filter((link) => /^(https?|mailto|tel):/.test(link.url) && link.url.length <= MAX_LABEL)),
    tables: bounded(pick('table').slice(0, 50).map(table).filter((table) => table.rows.length > 0)),
    images: bounded(pick('img').map((image) => ({ text: image.alt, url: image.currentSrc || image.src }))
      .filter((image) => /^https?:/.test(image.url) && image.url.length <= MAX_LABEL)),
    list_items: bounded(pick('li').map(label).filter(Boolean)),
    buttons: bounded(pick('button, [role=button], input[type=submit], input[type=button]')
      .map((button) => named(button) || button.value || '').filter(Boolean)),
    fields: bounded(pick('input:not([type=hidden], [type=submit], [type=button]), textarea, select, [role=textbox]')
      .map(fieldName).filter(Boolean)),
    forms: pick('form').length,
    text: text.slice(0, maxTextChars),
  };
  content.is_cut = isCut || text.length > maxTextChars;
  return content;
}
"""

# Runs in the page. Resolves when nothing has changed in it for `quietMs`, at the latest after `atMostMs`.
QUIET = """
([quietMs, atMostMs]) => new Promise((resolve) => {
  let timer;
  const observer = new MutationObserver(() => wait());
  const end = () => { observer.disconnect(); clearTimeout(timer); clearTimeout(limit); resolve(null); };
  const wait = () => { clearTimeout(timer); timer = setTimeout(end, quietMs); };
  const limit = setTimeout(end, atMostMs);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  wait();
})
"""

# Runs in the page with [element or null, where]: scrolls the element, or the page.
SCROLL = """
([element, to]) => {
  if (to === 'into_view') { element.scrollIntoView({ block: 'center' }); return; }
  const page = document.scrollingElement || document.documentElement;
  const box = element || page;
  const height = box === page ? innerHeight : box.clientHeight;
  box.scrollTop = { down: box.scrollTop + height * 0.9, up: box.scrollTop - height * 0.9, top: 0, bottom: box.scrollHeight }[to];
}
"""

# Runs on an element with a piece of its text, or "" for all of it: marks it. Returns whether it is there.
SELECT_TEXT = """
(element, piece) => {
  if (element.tagName === 'INPUT' || element.tagName === 'TEXTAREA') {
    const at = piece ? element.value.indexOf(piece) : 0;
    if (at < 0) return false;
    element.focus();
    element.setSelectionRange(at, piece ? at + piece.length : element.value.length);
    return true;
  }
  const range = document.createRange();
  range.selectNodeContents(element);
  if (piece) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let found = false;
    while (!found && walker.nextNode()) {
      const text = walker.currentNode.data;
      const word = new RegExp('(?<!\\\\w)' + piece.replace(/[.*+?^${}()|[\\]\\\\]/g, '\\\\$&') + '(?!\\\\w)').exec(text);
      const at = word ? word.index : text.indexOf(piece);
      if (at >= 0) { range.setStart(walker.currentNode, at); range.setEnd(walker.currentNode, at + piece.length); found = true; }
    }
    if (!found) return false;
  }
  element.closest('[contenteditable]')?.focus();
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  element.dispatchEvent(new MouseEvent('mouseup', { bubbles: true }));
  return true;
}
"""

# Run in the page: its WebMCP tools as JSON, and a call of one. The interface is young: what a Chromium lacks is none.
LIST_TOOLS = """
async () => {
  const context = navigator.modelContextTesting || navigator.modelContext;
  const tools = await (context?.listTools?.() ?? context?.getTools?.() ?? []);
  const read = (schema) => { try { return typeof schema === 'string' ? JSON.parse(schema || '{}') : schema || {}; } catch { return {}; } };
  return JSON.stringify([...tools].slice(0, 50).map((tool) => ({
    name: String(tool.name), description: String(tool.description || ''), input_schema: read(tool.inputSchema) })));
}
"""
CALL_TOOL = """
async ([name, args]) => {
  const context = navigator.modelContextTesting || navigator.modelContext;
  const answer = context.executeTool ? await context.executeTool(name, args) : await context.callTool({ name, arguments: JSON.parse(args) });
  return typeof answer === 'string' ? answer : JSON.stringify(answer);
}
"""
