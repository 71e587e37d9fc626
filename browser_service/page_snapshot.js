// Runs in a page, with what REMEMBER made (page_scripts.py) and [the next free number, scope, CSS selectors].
// One walk over all elements, open shadow roots included. Returns JSON, for it is read faster than objects: what
// snapshot.parse takes. Scope "viewport" tells only what is in view, "hidden" also what is not displayed, "all" the rest.
(memory, [firstId, scope, selectors]) => {
  const MAX_NODES = 12000, MAX_TEXT = 400, MAX_LINED = 2000, MAX_OPTIONS = 300;
  const SKIPPED = new Set(['script', 'style', 'template', 'noscript', 'head', 'meta', 'link', 'title', 'base', 'br', 'wbr']);
  const ROLES = { button: 'button', summary: 'button', textarea: 'textbox', option: 'option', nav: 'navigation',
    main: 'main', header: 'banner', footer: 'contentinfo', form: 'form', table: 'table', tr: 'row', td: 'cell',
    th: 'columnheader', ul: 'list', ol: 'list', menu: 'list', li: 'listitem', dialog: 'dialog', article: 'article',
    img: 'img', h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading', h5: 'heading', h6: 'heading',
    p: 'paragraph', label: 'label', fieldset: 'group', details: 'group', progress: 'progressbar', meter: 'meter',
    output: 'status', iframe: 'iframe', frame: 'iframe', canvas: 'canvas', video: 'video', audio: 'audio' };
  const INPUTS = { button: 'button', submit: 'button', reset: 'button', image: 'button', checkbox: 'checkbox',
    radio: 'radio', range: 'slider', number: 'spinbutton', search: 'searchbox', file: 'file', color: 'color',
    date: 'date', time: 'time', month: 'date', week: 'date', 'datetime-local': 'date' };
  const ACTIVE = new Set(['button', 'link', 'textbox', 'searchbox', 'combobox', 'listbox', 'option', 'checkbox', 'radio',
    'switch', 'slider', 'spinbutton', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'treeitem', 'file', 'color',
    'date', 'time']);
  const nodes = [], frames = [];
  let next = firstId, isCut = false;
  const chosen = new Map();
  const fold = (text) => String(text || '').replace(/\s+/g, ' ').trim();
  const short = (text, length = MAX_TEXT) => text.length > length ? text.slice(0, length) : text;
  const idOf = (e) => {
    let id = memory.ids.get(e);
    if (!id) { id = next++; memory.ids.set(e, id); memory.elements.set(id, new WeakRef(e)); }
    return id;
  };
  const roleOf = (e, tag) => {
    const given = fold(e.getAttribute('role')).split(' ')[0].toLowerCase();
    if (given && given !== 'none' && given !== 'presentation') return given;
    if (tag === 'a' || tag === 'area') return e.hasAttribute('href') ? 'link' : '';
    if (tag === 'input') return INPUTS[e.type] || 'textbox';
    if (tag === 'select') return e.multiple || e.size > 1 ? 'listbox' : 'combobox';
    if (e.isContentEditable && !e.parentElement?.isContentEditable) return 'textbox';
    return ROLES[tag] || '';
  };
  const byIds = (e, name) => {
    const ids = fold(e.getAttribute(name));
    return ids ? fold(ids.split(' ').map((id) => e.getRootNode().getElementById?.(id)?.textContent || '').join(' ')) : '';
  };
  const bare = (node) => [...node.childNodes].map((child) => child.nodeType === 3 ? child.data
    : child.nodeType === 1 && !/^(select|textarea|button|script|style)$/.test(child.localName) ? bare(child) : ' ').join('');
  const nameOf = (e, tag, role, text) => {
    const given = byIds(e, 'aria-labelledby') || fold(e.getAttribute('aria-label'));
    if (given) return given;
    if (e.labels?.length) {
      const label = fold([...e.labels].map(bare).join(' '));
      if (label) return label;
    }
    if (tag === 'input' && INPUTS[e.type] === 'button') return fold(e.value || e.alt || e.title) || fold(e.type);
    if (tag === 'img' || tag === 'area') return fold(e.alt || e.title);
    if (tag === 'fieldset') return fold(e.querySelector('legend')?.textContent);
    if (tag === 'table') return fold(e.caption?.textContent);
    if (text && role !== 'textbox') return '';  // its text is its name
    const image = e.querySelector?.('img[alt], svg[aria-label], svg > title');
    return fold(image && (image.getAttribute('alt') || image.getAttribute('aria-label') || image.textContent)) || fold(e.title);
  };
  const hintsOf = (e, tag) => {
    const classes = typeof e.className === 'string' ? e.className : e.className?.baseVal;
    const source = tag === 'img' ? (e.getAttribute('src') || '').split(/[?#]/)[0].split('/').pop() : '';
    return short(fold([classes, e.id, e.getAttribute('name'), e.getAttribute('data-icon'), source].filter(Boolean).join(' ')), 160);
  };
  const whyHidden = (e, style, rect, inherited, scrolled) => {
    if (inherited) return inherited;
    if (style.visibility !== 'visible') return 'invisible';
    if (Number(style.opacity) < 0.05) return 'transparent';
    if (rect.width && rect.height) {
      if (!scrolled && (rect.right + scrollX <= 0 || rect.bottom + scrollY <= 0)) return 'off-screen';
      if (rect.width <= 1 && rect.height <= 1) return 'zero-size';
    } else if (style.overflow !== 'visible' && e.childNodes.length) return 'zero-size';
    if (style.clipPath === 'inset(100%)' || style.clipPath === 'inset(50%)' || style.fontSize === '0px') return 'zero-size';
    return '';
  };
  const colourless = (color) => /^rgba\(.*, 0\)$/.test(color);
  const isUnseen = (e, style) => {  // why people do not see the text of what they see
    if (colourless(style.color) || (colourless(style.webkitTextFillColor) && style.backgroundClip !== 'text')) return 'transparent';
    if (parseFloat(style.textIndent) > -100) return '';
    const range = document.createRange();
    range.selectNodeContents(e);
    return range.getBoundingClientRect().right + scrollX <= 0 ? 'off-screen' : '';
  };
  const valueOf = (e, tag, role) => {
    if (tag === 'select') return [...e.selectedOptions].map((o) => fold(o.label)).join(', ');
    if (tag === 'input' && (e.type === 'checkbox' || e.type === 'radio')) return '';
    if (tag === 'input' && e.type === 'password') return '•'.repeat(Math.min(e.value.length, 8));
    if (tag === 'input' && e.type === 'file') return [...e.files].map((f) => f.name).join(', ');
    if (tag === 'input' || tag === 'textarea') return short(String(e.value));
    if (role === 'textbox') return short(fold(e.innerText));
    return e.getAttribute('aria-valuetext') || e.getAttribute('aria-valuenow') || '';
  };
  const opaque = (color) => /^rgb\(/.test(color) || (/^rgba\(/.test(color) && !/, 0\)$/.test(color));
  const walk = (e, parent, pointed, inherited, scrolled) => {
    const tag = e.localName;
    if (SKIPPED.has(tag)) return '';
    if (nodes.length >= MAX_NODES) { isCut = true; return ''; }
    const style = getComputedStyle(e);
    let hidden = inherited;
    if (style.display === 'none') {
      const isUsed = tag === 'input' && (e.type === 'file' || ((e.type === 'checkbox' || e.type === 'radio') && e.labels?.length));
      if (scope !== 'hidden' && !isUsed) return '';
      hidden = 'not displayed';
    }
    const rect = e.getBoundingClientRect();
    if (scope === 'viewport' && rect.height > 0 && rect.top > innerHeight + 1000) return '';  // far below, and what is in it
    hidden = whyHidden(e, style, rect, hidden, scrolled);
    const scrolls = /(auto|scroll)/.test(style.overflowY + style.overflowX)
      && (e.scrollHeight > e.clientHeight + 4 || e.scrollWidth > e.clientWidth + 4);
    const inView = rect.bottom > 0 && rect.top < innerHeight && rect.right > 0 && rect.left < innerWidth;
    const isTold = scope !== 'viewport' || inView || chosen.has(e);
    const role = roleOf(e, tag);
    const pointer = style.cursor === 'pointer';
    const row = [];
    const index = isTold ? nodes.push(row) - 1 : parent;
    let own = '', text = '';
    const isOpaque = tag === 'select' || tag === 'textarea' || tag === 'iframe' || tag === 'svg' && !e.querySelector('text');
    if (!isOpaque) {
      const passed = hidden === 'invisible' ? '' : hidden;
      const children = e.shadowRoot ? [...e.shadowRoot.childNodes, ...e.childNodes] : e.childNodes;
      for (const child of children) {
        if (child.nodeType === 3) {
          const piece = child.data;
          const line = /^pre/.test(style.whiteSpace) ? piece : piece.replace(/\s+/g, ' ');
          if (piece.trim()) { own += piece; if (!hidden) text += line; } else if (text) text += ' ';
        } else if (child.nodeType === 1) {
          const isClosed = tag === 'details' && !e.open && child.localName !== 'summary';
          if (isClosed && scope !== 'hidden') continue;
          const inner = walk(child, index, pointer, isClosed ? 'not displayed' : passed, scrolled || scrolls);
          if (inner && text.length < 4000) {
            const block = !/^inline/.test(getComputedStyle(child).display);
            text += block ? '\n' + inner + '\n' : inner;
          } else if (child.localName === 'br') text += '\n';
        }
      }
    }
    if (!isTold) return hidden ? '' : text;
    const ownText = fold(own), told = fold(hidden ? own : text);
    const field = 'value' in e && (tag === 'input' || tag === 'textarea' || tag === 'select');
    const isActive = ACTIVE.has(role);
    const clickable = isActive || tag === 'label' || e.hasAttribute('onclick') || (pointer && !pointed)
      || (e.hasAttribute('tabindex') && e.tabIndex >= 0);
    const isLeaf = e.childElementCount === 0 && !e.shadowRoot;
    const matters = ownText || isActive || clickable || role || isLeaf;
    const name = matters ? nameOf(e, tag, role, told) : '';
    const extra = {};
    const put = (key, value) => { if (value) extra[key] = value; };
    if (matters) {
      if (role !== 'cell' && role !== 'row' && role !== 'paragraph' && (!told || isActive || clickable || isLeaf)) put('hints', hintsOf(e, tag));
      put('testid', e.getAttribute('data-testid') || e.getAttribute('data-test-id') || e.getAttribute('data-test'));
      put('title', fold(e.title));
      if (!hidden && text.includes(':') && text.length <= MAX_LINED) {
        const lines = text.split('\n').map(fold).filter(Boolean);
        if (lines.length > 1) extra.lines = lines;
      }
      put('own', ownText !== told ? short(ownText) : '');
      if ((ownText || isActive && told) && !hidden) put('unseen', isUnseen(e, style));
      if (name && name === fold(e.getAttribute('aria-label'))) {
        put('spoken', !`${told} ${fold(e.placeholder)} ${e.value ?? ''}`.includes(name));
      }
    }
    if (field || isActive) {
      put('value', valueOf(e, tag, role));
      put('placeholder', fold(e.placeholder || e.getAttribute('aria-placeholder')));
      put('type', e.type && tag === 'input' ? e.type : '');
      put('min', e.getAttribute('min') || e.getAttribute('aria-valuemin'));
      put('max', e.getAttribute('max') || e.getAttribute('aria-valuemax'));
      put('controls', e.getAttribute('aria-controls') || e.getAttribute('aria-owns'));
      if (tag === 'select') extra.options = [...e.options].slice(0, MAX_OPTIONS).map((o) => short(fold(o.label || o.textContent), 120));
    }
    put('id', scope === 'hidden' ? e.id : '');
    if (role === 'link') put('href', short(String(e.href?.baseVal ?? e.href ?? ''), 500));
    if (role === 'heading') extra.level = Number(e.getAttribute('aria-level')) || Number(tag[1]) || 2;
    if (tag === 'label' && e.control) extra.for = idOf(e.control);
    put('css', chosen.get(e));
    put('hidden', hidden);
    const expanded = e.getAttribute('aria-expanded') ?? (tag === 'summary' ? String(e.parentElement?.open === true) : null);
    if (expanded !== null) extra.expanded = expanded === 'true';
    if (/^(true|menu|listbox|tree|grid|dialog)$/.test(e.getAttribute('aria-haspopup') || '')) extra.popup = true;
    if (isLeaf && opaque(style.backgroundColor)) extra.color = style.backgroundColor;
    else if (isLeaf && e.namespaceURI?.endsWith('svg') && style.fill !== 'none') extra.color = style.fill;
    if (scrolls) extra.scrolls = true;
    let flags = 0;
    const on = (bit, condition) => { if (condition) flags |= bit; };
    on(1, clickable);
    on(2, (field && !['button', 'checkbox', 'radio', 'file'].includes(role)) || role === 'textbox' && e.isContentEditable);
    on(4, e.disabled === true || e.getAttribute('aria-disabled') === 'true' || e.matches(':disabled'));
    on(8, e.checked === true || e.getAttribute('aria-checked') === 'true');
    on(16, e.getAttribute('aria-selected') === 'true' || e.getAttribute('aria-pressed') === 'true');
    on(32, e.readOnly === true || e.getAttribute('aria-readonly') === 'true');
    on(64, e.required === true || e.getAttribute('aria-required') === 'true');
    on(128, inView && rect.width > 0 && rect.height > 0);
    on(256, e.getRootNode().activeElement === e);
    on(1024, Boolean(ownText));
    on(2048, e.draggable === true && tag !== 'a' && tag !== 'img' || /\bui-(draggable|sortable-handle)\b/.test(e.className?.baseVal ?? e.className));
    row.push(idOf(e), parent, tag, role, short(name), matters ? short(told) : '', flags,
      Math.round(rect.x), Math.round(rect.y), Math.round(rect.width), Math.round(rect.height), extra);
    if (role === 'iframe') frames.push(row[0]);
    return hidden ? '' : text;
  };
  for (const css of selectors) {
    const find = (root) => {
      for (const e of root.querySelectorAll(css)) chosen.set(e, [...(chosen.get(e) || []), css]);
      for (const e of root.querySelectorAll('*')) if (e.shadowRoot) find(e.shadowRoot);
    };
    find(document);
  }
  if (document.documentElement) walk(document.documentElement, -1, false, '', false);
  return JSON.stringify({ url: location.href, title: document.title, next, isCut, width: innerWidth, height: innerHeight,
    scrollY: Math.round(scrollY), pageHeight: document.documentElement?.scrollHeight || 0, frames, nodes });
}
