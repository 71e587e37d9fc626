// Runs on an element with {maxChars, attribute}. Returns what it shows: text, Markdown, value, an attribute of it, and
// the lists, links and tables in it. Everything is bounded; hidden parts are left out.
(root, { maxChars, attribute }) => {
  const fold = (text) => String(text || '').replace(/\s+/g, ' ').trim();
  const isShown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: false });
  const all = (selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)]
    .filter(isShown).slice(0, 1000);
  const cell = (c) => fold(c.innerText).slice(0, 1000);
  const cells = (row) => [...row.cells].slice(0, 100).map(cell);
  const table = (t) => {
    const first = t.rows[0];
    const header = first?.cells.length > 0
      && (first.parentElement.tagName === 'THEAD' || [...first.cells].every((c) => c.tagName === 'TH'));
    return { header, rows: grid(t, cell) };
  };
  const inline = (node) => {
    if (node.nodeType === 3) return node.data.replace(/\s+/g, ' ');
    if (node.nodeType !== 1 || !isShown(node)) return '';
    const inner = () => [...node.childNodes].map(inline).join('');
    switch (node.tagName) {
      case 'BR': return '\n';
      case 'STRONG': case 'B': return `**${inner().trim()}**`;
      case 'EM': case 'I': return `*${inner().trim()}*`;
      case 'CODE': return `\`${node.textContent}\``;
      case 'A': return node.href && /^https?:|^mailto:/.test(node.href) ? `[${inner().trim()}](${node.href})` : inner();
      case 'IMG': return node.alt ? `![${node.alt}](${node.src.slice(0, 500)})` : '';
      case 'INPUT': case 'SELECT': case 'TEXTAREA': case 'SCRIPT': case 'STYLE': return '';
      default: return inner();
    }
  };
  const BLOCKS = 'p,div,section,article,main,header,footer,nav,aside,ul,ol,table,pre,blockquote,h1,h2,h3,h4,h5,h6,form,dl,figure,fieldset,details';
  const block = (node, indent) => {
    if (node.nodeType === 3) return fold(node.data);
    if (node.nodeType !== 1 || !isShown(node)) return '';
    const tag = node.tagName;
    if (/^H[1-6]$/.test(tag)) return '#'.repeat(Number(tag[1])) + ' ' + fold(inline(node));
    if (tag === 'PRE') return '```\n' + node.innerText.replace(/\n$/, '') + '\n```';
    if (tag === 'BLOCKQUOTE') return blocks(node, '').split('\n').map((line) => '> ' + line).join('\n');
    if (tag === 'UL' || tag === 'OL') {
      return [...node.children].filter(isShown).map((item, i) => {
        const nested = [...item.children].filter((c) => c.tagName === 'UL' || c.tagName === 'OL');
        const own = fold([...item.childNodes].filter((c) => !nested.includes(c)).map(inline).join(''));
        const below = nested.map((c) => '\n' + block(c, indent + '  ')).join('');
        return `${indent}${tag === 'OL' ? `${i + 1}.` : '-'} ${own}${below}`;
      }).join('\n');
    }
    if (tag === 'TABLE') {
      const rows = grid(node, cell);
      if (!rows.length) return '';
      const line = (row) => '| ' + row.map((c) => c.replaceAll('|', '\\|')).join(' | ') + ' |';
      return [line(rows[0]), line(rows[0].map(() => '---')), ...rows.slice(1).map(line)].join('\n');
    }
    if (tag === 'SCRIPT' || tag === 'STYLE' || tag === 'TEMPLATE') return '';
    return node.querySelector(BLOCKS) ? blocks(node, indent) : inline(node).split('\n').map(fold).join('\n').trim();
  };
  const blocks = (node, indent) => {
    const pieces = [];
    let run = '';
    const end = () => { if (run.trim()) pieces.push(run.split('\n').map(fold).join('\n').trim()); run = ''; };
    const children = node.shadowRoot ? [...node.shadowRoot.childNodes, ...node.childNodes] : node.childNodes;
    for (const child of children) {
      if (child.nodeType === 1 && (child.matches(BLOCKS) || child.querySelector(BLOCKS) || child.shadowRoot)) { end(); pieces.push(block(child, indent)); } else run += inline(child);
    }
    end();
    return pieces.filter((piece) => piece.trim()).join('\n\n');
  };
  const value = 'value' in root && typeof root.value === 'string' && root.type !== 'password' ? root.value : null;
  const bound = (text) => String(text ?? '').slice(0, maxChars);
  return {
    text: bound(root.innerText ?? root.textContent),
    markdown: bound(root.matches?.(BLOCKS + ',li,body') ? block(root, '') || blocks(root, '') : inline(root)),
    value: value === null ? null : bound(value),
    attribute: attribute ? (root.getAttribute(attribute) === null ? null : bound(
      attribute === 'href' || attribute === 'src' ? root[attribute]?.baseVal ?? root[attribute] : root.getAttribute(attribute))) : null,
    items: all('li, [role=listitem], option').map((e) => fold(e.innerText || e.label).slice(0, 1000)).filter(Boolean),
    links: all('a[href]').map((a) => ({ text: fold(a.innerText || a.getAttribute('aria-label')).slice(0, 1000), url: String(a.href) }))
      .filter((a) => /^(https?|mailto|tel):/.test(a.url) && a.url.length <= 1000),
    headings: all('h1, h2, h3, h4, h5, h6, [role=heading]').map((h) => fold(h.innerText).slice(0, 1000)).filter(Boolean),
    images: all('img').map((i) => ({ text: i.alt, url: i.currentSrc || i.src })).filter((i) => /^https?:/.test(i.url)),
    tables: all('table').slice(0, 50).map(table),
    pairs: [...all('dl').flatMap((dl) => [...dl.querySelectorAll('dt')].map((dt) => [fold(dt.innerText), fold(dt.nextElementSibling?.innerText)])),
      ...all('tr').filter((r) => r.cells.length === 2).map(cells),
      ...all('label').filter((l) => l.control && 'value' in l.control && l.control.type !== 'password').map((l) => [fold(l.innerText), String(l.control.value)]),
      ...fold(root.innerText ?? '').length < 200000 ? String(root.innerText ?? '').split('\n').slice(0, 3000)
        .map((line) => /^\s*([^:]{1,60}):\s+(.{1,1000})$/.exec(line)).filter(Boolean).map((m) => [m[1].trim(), m[2].trim()]) : []].slice(0, 2000),
  };
}
