// Pure: reads CSV (RFC 4180; comma, semicolon or tab).

export function parseCsv(text: string, mostRows: number): string[][] {
  const separator = guess(text);
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  for (let place = 0; place < text.length && rows.length < mostRows; place += 1) {
    const char = text[place] as string;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[place + 1] === '"') {
        cell += '"';
        place += 1;
      } else quoted = false;
    } else if (char === '"' && cell === '') quoted = true;
    else if (char === separator) {
      row.push(cell);
      cell = '';
    } else if (char === '\n') {
      row.push(cell.replace(/\r$/, ''));
      rows.push(row);
      row = [];
      cell = '';
    } else cell += char;
  }
  if (rows.length < mostRows && (cell !== '' || row.length > 0)) rows.push([...row, cell.replace(/\r$/, '')]);
  return rows;
}

function guess(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  const counted = [',', ';', '\t'].map((mark) => [mark, line.split(mark).length] as const);
  return counted.reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}
