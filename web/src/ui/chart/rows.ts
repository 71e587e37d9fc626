// Pure: the rows that a Vega-Lite chart brings along, for those who would rather read them.

export interface Rows {
  columns: readonly string[];
  rows: readonly (readonly string[])[];
  /** How many there are in all. */
  total: number;
}

/** Returns the rows of the first data in the chart that are records; null if it has none. At most `most` of them. */
export function rowsOf(spec: unknown, most: number): Rows | null {
  const values = valuesIn(spec);
  if (!values) return null;
  const shown = values.slice(0, most);
  const columns = [...new Set(shown.flatMap((row) => Object.keys(row)))].slice(0, 50);
  return { columns, rows: shown.map((row) => columns.map((name) => said(row[name]))), total: values.length };
}

type Row = Record<string, unknown>;

function valuesIn(value: unknown): readonly Row[] | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const spec = value as Record<string, unknown>;
  const data = spec.data as { values?: unknown } | undefined;
  const named = Object.values((spec.datasets as object | undefined) ?? {});
  for (const values of [data?.values, ...named]) {
    if (Array.isArray(values) && values.length > 0) {
      return values.map((row): Row => (typeof row === 'object' && row !== null ? (row as Row) : { value: row }));
    }
  }
  for (const name of ['layer', 'hconcat', 'vconcat', 'concat', 'spec']) {
    for (const part of [spec[name]].flat()) {
      const found = valuesIn(part);
      if (found) return found;
    }
  }
  return null;
}

function said(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
