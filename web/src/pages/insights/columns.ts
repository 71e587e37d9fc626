// Pure: sums of days as the columns of a chart.
const DAY_MS = 86_400_000;
const MOST_COLUMNS = 92;

export interface Column {
  /** The first and the last day that it stands for, as YYYY-MM-DD; one and the same unless it is a week. */
  from: string;
  to: string;
  value: number;
}

/** A column for each of the `days` that end with `last`, or for each week if they are many. Days without a sum have 0. */
export function columnsOf(sums: ReadonlyMap<string, number>, days: number, last: string): Column[] {
  const each = days > MOST_COLUMNS ? 7 : 1;
  const columns: Column[] = [];
  for (let end = Date.parse(last); columns.length * each < days; end -= each * DAY_MS) {
    const inside = Array.from({ length: each }, (_, back) => dayOf(end - back * DAY_MS));
    const value = inside.reduce((sum, day) => sum + (sums.get(day) ?? 0), 0);
    columns.unshift({ from: inside.at(-1) as string, to: inside[0] as string, value });
  }
  return columns;
}

/** The day of a time in milliseconds, in UTC: that is how the orchestrator counts days. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** The next round number: 1 or an even digit, and zeros, so that its half is short, too. */
export function roundedUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 6, 8].find((times) => times * unit >= value) ?? 10) * unit;
}
