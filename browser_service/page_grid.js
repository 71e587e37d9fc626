// Returns the texts of a table by rows and columns; what goes over several of them stands in each. `text` reads a cell.
(table, text) => {
  const MAX_ROWS = 1000, MAX_COLUMNS = 100;
  let held = [], group = null;  // by columns: a cell of an earlier row of the same group, and for how many more it goes on
  return [...table.rows].slice(0, MAX_ROWS).map((line) => {
    if (line.parentElement !== group) { held = []; group = line.parentElement; }
    const row = [], cells = [...line.cells];
    while (row.length < MAX_COLUMNS && (cells.length || held[row.length])) {
      const place = row.length, above = held[place];
      if (above) {
        row.push(above.words);
        if (--above.rows < 1) delete held[place];
        continue;
      }
      const cell = cells.shift(), words = text(cell);
      for (let width = Math.min(cell.colSpan, MAX_COLUMNS - place); width > 0; width--) {
        if (cell.rowSpan !== 1) held[row.length] = { words, rows: cell.rowSpan ? cell.rowSpan - 1 : MAX_ROWS };
        row.push(words);
      }
    }
    return row;
  });
}
