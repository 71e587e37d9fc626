// A bar for each day, or for each week of a long time, and the same in numbers.
import type { ReactNode } from 'react';
import type { Spending } from '../../api/usage';
import { Records } from '../../ui/records';
import { money } from '../../ui/text';
import { type Column, columnsOf, dayOf, roundedUp } from './columns';
import classes from './days.module.css';

export function Days({ items, days }: { items: readonly Spending[]; days: number }): ReactNode {
  const hasCost = items.some((item) => item.cost_usd > 0);
  const valueOfDay = (item: Spending): number => (hasCost ? item.cost_usd : item.input_tokens + item.output_tokens);
  const columns = columnsOf(new Map(items.map((item) => [item.day ?? '', valueOfDay(item)])), days, dayOf(Date.now()));
  const show = (value: number): string => (hasCost ? money(value) : value.toLocaleString());
  const what = hasCost ? 'Cost' : 'Tokens';
  const used = columns.filter((column) => column.value > 0);
  const top = roundedUp(Math.max(...columns.map((column) => column.value), hasCost ? 0.0001 : 1));
  return (
    <>
      <div className={classes.chart} role="img" aria-label={`${what} of ${days} days; below in numbers`}>
        <div className={classes.scale}>
          {[top, top / 2, 0].map((value) => (
            <span key={value}>{show(value)}</span>
          ))}
        </div>
        <div className={classes.columns}>
          {columns.map((column) => (
            <div key={column.from} className={classes.column}>
              <div className={classes.bar} style={{ height: `${(column.value / top) * 100}%` }} />
              <div className={classes.tip}>
                {daysOf(column)}
                <br />
                <strong>{show(column.value)}</strong>
              </div>
            </div>
          ))}
        </div>
        <div className={classes.ends}>
          <span>{short(columns[0]?.from)}</span>
          <span>{short(columns.at(-1)?.to)}</span>
        </div>
      </div>
      <details className={classes.numbers}>
        <summary>In numbers</summary>
        <Records
          columns={['Day (UTC)', what]}
          rows={used.map((column) => [daysOf(column), show(column.value)])}
          total={used.length}
          name={`${what} by day`}
        />
      </details>
    </>
  );
}

function daysOf({ from, to }: Column): string {
  return from === to ? short(from) : `${short(from)} – ${short(to)}`;
}

function short(day = ''): string {
  return new Date(day).toLocaleDateString(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });
}
