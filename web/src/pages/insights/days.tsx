// A bar for each day. It brings the chart library, so it is loaded when first needed.
import type { ReactNode } from 'react';
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import type { Spending } from '../../api/usage';
import { money } from '../../ui/text';

export default function Days({ items }: { items: readonly Spending[] }): ReactNode {
  const hasCost = items.some((item) => item.cost_usd > 0);
  const data = items.map((item) => ({
    day: item.day ?? '',
    value: hasCost ? item.cost_usd : item.input_tokens + item.output_tokens,
  }));
  const show = (value: number): string => (hasCost ? money(value) : `${value.toLocaleString()} tokens`);
  return (
    <div style={{ height: 220 }} role="img" aria-label={`${hasCost ? 'Cost' : 'Tokens'} of ${items.length} days`}>
      <ResponsiveContainer width="100%" height="100%">
        <BarChart data={data} margin={{ top: 4, right: 4, bottom: 0, left: 4 }} accessibilityLayer={false}>
          <CartesianGrid vertical={false} stroke="var(--af-line)" />
          <XAxis dataKey="day" tick={{ fill: 'var(--af-dim)', fontSize: 12 }} stroke="var(--af-line-strong)" />
          <YAxis
            width={76}
            tick={{ fill: 'var(--af-dim)', fontSize: 12 }}
            stroke="var(--af-line-strong)"
            tickFormatter={(value: number) => (hasCost ? money(value) : value.toLocaleString())}
          />
          <Tooltip
            cursor={{ fill: 'var(--af-hover)' }}
            contentStyle={{
              background: 'var(--af-surface)',
              border: '1px solid var(--af-line-strong)',
              borderRadius: 6,
              color: 'var(--af-text)',
            }}
            itemStyle={{ color: 'var(--af-text)' }}
            formatter={(value) => [show(Number(value)), hasCost ? 'cost' : 'tokens']}
          />
          <Bar
            dataKey="value"
            fill="var(--af-accent)"
            radius={[3, 3, 0, 0]}
            maxBarSize={42}
            isAnimationActive={false}
          />
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}
