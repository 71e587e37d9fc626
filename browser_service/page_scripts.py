"""What is run inside a page: JavaScript, given to Playwright as it is."""

from importlib.resources import files

# Makes what a document is remembered by: the numbers of its elements. Dies with the document.
REMEMBER = "() => ({ ids: new WeakMap(), elements: new Map() })"

# Runs with what REMEMBER made. Returns the element with the number, or null when it is gone.
ELEMENT = "(memory, id) => { const e = memory.elements.get(id)?.deref(); return e && e.isConnected ? e : null; }"

_FOLDER = files(__package__ or "browser_service")
_GRID = _FOLDER.joinpath("page_grid.js").read_text(encoding="utf-8")


def _with_grid(script: str) -> str:
    """Return a function that may call `grid`."""
    return f"(...args) => {{ const grid = (\n{_GRID}\n); return (\n{script}\n)(...args); }}"


PART = _with_grid(_FOLDER.joinpath("page_part.js").read_text(encoding="utf-8"))
SNAPSHOT = _FOLDER.joinpath("page_snapshot.js").read_text(encoding="utf-8")
PENDING = _FOLDER.joinpath("page_pending.js").read_text(encoding="utf-8")
QUIET = _FOLDER.joinpath("page_quiet.js").read_text(encoding="utf-8")

# Runs in the page. Looks into open shadow roots, leaves out what is not shown, and bounds everything it returns.
READ = _with_grid("""
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
  // What a person can see: not only rendered, but neither transparent, nor outside of the page, nor clipped to nothing.
  const clipped = new Map();
  const isClipped = (element) => {  // by itself or by what is around it
    if (!element || element === document.documentElement) return false;
    if (!clipped.has(element)) {
      const style = getComputedStyle(element), box = element.getBoundingClientRect();
      const isTiny = box.width <= 1 || box.height <= 1;
      clipped.set(element, (isTiny && style.overflow !== 'visible' && style.display !== 'contents')
        || /^rect\\((0|1)(px)?(,? (0|1)(px)?){3}\\)$/.test(style.clip) || /^inset\\((50|100)%/.test(style.clipPath)
        || isClipped(element.assignedSlot || element.parentElement || element.getRootNode().host));
    }
    return clipped.get(element);
  };
  const isOutside = (box) => box.right + scrollX <= 0 || box.bottom + scrollY <= 0
    || box.left + scrollX >= document.documentElement.scrollWidth;
  const why = (element, box) => {  // why it is hidden from a person who looks at the page; empty if it is not
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return 'transparent';
    if (isOutside(box)) return 'off-screen';
    if (box.width < 1 || box.height < 1 || isClipped(element)) return 'zero-size';
    return '';
  };
  const isShown = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    if (element.matches('input[type=checkbox], input[type=radio], input[type=file]') && element.labels?.length) {
      if (!why(element.labels[0], element.labels[0].getBoundingClientRect())) return true;  // drawn by its label
    }
    const box = element.getBoundingClientRect();
    return !why(element, box) || (element.children.length > 0 && box.width * box.height === 0
      && [...element.children].some((child) => !why(child, child.getBoundingClientRect())));
  };
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
  const hasHeader = (element) => {
    const first = element.rows[0];
    return first?.cells.length > 0
      && (first.parentElement.tagName === 'THEAD' || [...first.cells].every((c) => c.tagName === 'TH'));
  };
  const table = (element) => {
    const rows = grid(element, cell);
    isCut ||= element.rows.length > rows.length;
    return { header: hasHeader(element), rows: bounded(rows) };
  };
  const pieces = [], hidden = [];
  const isClear = (color) => /^rgba\\(.*, 0\\)$/.test(color);
  const hide = (how, words) => {
    const said = words.trim().slice(0, MAX_LABEL);
    if (said && hidden.length < 50) hidden.push({ how, text: said });
  };
  const readText = (node) => {
    const parent = node.parentElement || node.getRootNode().host;
    if (parent?.matches('textarea')) return;  // what a field holds is its value
    if (!parent || !node.data.trim()) return pieces.push(/\\n/.test(node.data) ? ' ' : node.data);
    if (!parent.checkVisibility({ visibilityProperty: true })) return;  // not rendered: neither for people nor for us
    const range = document.createRange();
    range.selectNodeContents(node);
    const style = getComputedStyle(parent);
    const isInvisible = isClear(style.webkitTextFillColor) && style.backgroundClip !== 'text';
    const how = isInvisible ? 'transparent' : why(parent, range.getBoundingClientRect());
    if (how) hide(how, node.data); else pieces.push(node.data.replace(/\\s+/g, ' '));
  };
  const BLOCK = /^(block|flex|grid|list-item|table|table-row|flow-root|table-caption)$/;
  let visited = 0;
  const visit = (node) => {
    if (++visited > MAX_ELEMENTS) return;
    if (node.nodeType === Node.TEXT_NODE) return readText(node);
    if (node.nodeType !== Node.ELEMENT_NODE || /^(STYLE|SCRIPT|TEMPLATE|NOSCRIPT|SELECT)$/.test(node.tagName)) return;
    if (node.tagName === 'BR') return pieces.push('\\n');
    const display = getComputedStyle(node).display;
    if (display === 'none') return;
    const spoken = node.getAttribute('aria-label') || '';
    if (spoken && !node.matches('a, button, input, select, textarea, img, svg, nav, section, form, [role]')
      && !String(node.innerText).includes(spoken)) hide('aria-only', spoken);
    const gap = BLOCK.test(display) ? '\\n' : display === 'table-cell' ? '\\t' : '';
    if (gap) pieces.push(gap);
    const inside = node.shadowRoot || node;
    const slotted = node.tagName === 'SLOT' ? node.assignedNodes() : [];
    for (const child of slotted.length ? slotted : inside.childNodes) visit(child);
    if (gap) pieces.push(gap);
  };
  if (document.body) visit(document.body);
  let text = String(document.body?.innerText ?? document.documentElement?.textContent ?? '');
  for (const host of hosts) {
    if (!isShown(host)) continue;
    for (const child of host.shadowRoot.children) {
      if (!['STYLE', 'SCRIPT', 'TEMPLATE', 'LINK'].includes(child.tagName)) text += '\\n' + (child.innerText || '');
    }
  }
  if (hidden.some((piece) => piece.how !== 'aria-only')) text = pieces.join('').replace(/\\n\\s*\\n/g, '\\n');
  const KINDS = Object.entries({
    dialog: 'dialog[open], [role=dialog], [role=alertdialog], [aria-modal=true]',
    error: '[role=alert], [aria-invalid=true], [class*=error i], [class*=invalid i], [id*=error i], :user-invalid',
    notice: '[role=status], [class*=success i], [class*=toast i], [class*=notification i], [class*=confirm i], output',
    checkbox: 'input[type=checkbox], [role=checkbox], [role=switch]',
    radio: 'input[type=radio], [role=radio]',
    button: 'button, [role=button], input[type=submit], input[type=button], input[type=reset], summary',
    field: 'input:not([type=hidden], [type=submit], [type=button], [type=reset], [type=checkbox], [type=radio]), '
      + 'textarea, select, [role=textbox], [role=searchbox], [role=combobox]:not(input), [contenteditable=true]',
    link: 'a[href], area[href], [role=link]',
    heading: 'h1, h2, h3, h4, h5, h6, [role=heading]',
    image: 'img, svg, [role=img], canvas',
    option: '[role=option]',
    item: 'li, [role=listitem], [role=menuitem], [role=treeitem], article',
    list: 'ul, ol, [role=list], [role=listbox]',
    table: 'table, [role=table], [role=grid]',
    row: 'tr, [role=row]',
    form: 'form, [role=form], [role=search]',
    menu: 'nav, [role=navigation], [role=menu], [role=menubar]',
    footer: 'footer, [role=contentinfo]',
    header: 'header, [role=banner]',
    tab: '[role=tab]',
    video: 'video',
    frame: 'iframe',
    spinner: '[role=progressbar], [aria-busy=true], progress, [class*=spinner i], [class*=loading i]',
    paragraph: 'p',
  });
  const ANY = KINDS.map(([, selector]) => selector).join(', ');
  const STATES = Object.entries({
    disabled: ':disabled, [aria-disabled=true]', checked: ':checked, [aria-checked=true], [aria-pressed=true]',
    required: ':required, [aria-required=true]', invalid: ':user-invalid, [aria-invalid=true]', focused: ':focus',
    expanded: '[aria-expanded=true], details[open] > summary',
    selected: '[aria-selected=true], [aria-current]:not([aria-current=false])',
    readonly: 'input:read-only, textarea:read-only, [aria-readonly=true]',
  });
  const spokenBy = (element, attribute) => (element.getAttribute(attribute) || '').split(/\\s+/)
    .map((id) => (id && element.getRootNode().getElementById?.(id)?.innerText) || '').join(' ').trim();
  const thingName = (kind, element) => {
    if (['field', 'checkbox', 'radio'].includes(kind)) {
      return spokenBy(element, 'aria-labelledby') || fieldName(element) || label(element);
    }
    if (kind === 'image') {
      return element.getAttribute('alt') || element.getAttribute('aria-label')
        || element.querySelector('title')?.textContent || element.title || '';
    }
    if (kind === 'error') {
      return label(element) || spokenBy(element, 'aria-errormessage') || spokenBy(element, 'aria-describedby')
        || element.validationMessage || '';
    }
    if (['form', 'dialog', 'menu', 'header', 'footer', 'list', 'table'].includes(kind)) {
      return element.getAttribute('aria-label') || spokenBy(element, 'aria-labelledby')
        || element.querySelector('legend, caption, h1, h2, h3, h4')?.innerText || '';
    }
    return named(element) || element.value || '';
  };
  const hintOf = (kind, element) => [
    element.id, element.getAttribute('class'), element.getAttribute('name'), element.getAttribute('type'),
    element.getAttribute('placeholder'), element.getAttribute('role'), element.getAttribute('action'),
    ...(['form', 'dialog'].includes(kind)
      ? [...element.querySelectorAll('input, button, legend, h1, h2, h3')].slice(0, 20)
        .map((inner) => `${inner.type || ''} ${inner.innerText || (inner.type === 'submit' ? inner.value : '')}`) : []),
    kind === 'image' ? element.closest('a, header, [class*=logo i]')?.getAttribute('class') : '',
  ].filter(Boolean).join(' ').replace(/\\s+/g, ' ').toLowerCase().slice(0, 300);
  const things = [];
  for (const element of elements) {
    if (things.length >= 2 * MAX_ITEMS) { isCut = true; break; }
    if (!element.matches(ANY) || !isShown(element)) continue;
    for (const [kind, selector] of KINDS) {
      if (!element.matches(selector)) continue;
      const name = String(thingName(kind, element)).trim().slice(0, 300);
      if ((kind === 'error' || kind === 'notice') && !name) continue;
      const isSecret = element.type === 'password';
      things.push({
        kind, name, hint: hintOf(kind, element),
        value: kind === 'link' ? String(element.href || '').slice(0, MAX_LABEL)
          : kind !== 'field' ? '' : isSecret ? (element.value ? '********' : '')
          : element.tagName === 'SELECT' ? String(element.selectedOptions[0]?.label ?? '')
          : String(element.value ?? element.innerText ?? '').slice(0, MAX_LABEL),
        states: STATES.filter(([, state]) => element.matches(state)).map(([state]) => state),
      });
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
    hidden: bounded(hidden),
    things: bounded(things),
  };
  content.is_cut = isCut || text.length > maxTextChars;
  return content;
}
""")

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
