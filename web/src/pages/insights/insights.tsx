// What models cost: by day, and by whatever one wants to know.
import { SegmentedControl, Select, Table, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense } from 'react';
import { GROUPS, type Group, type Spending, usageQuery } from '../../api/usage';
import { Empty, Problem, Waiting } from '../../ui/feedback';
import { Page } from '../../ui/page';
import { scrolledByKeys } from '../../ui/records';
import { duration, money, plain } from '../../ui/text';
import { Days } from './days';
import classes from './insights.module.css';

const Learned = lazy(() => import('./learned'));
const route = getRouteApi('/insights');
const SPANS = { '7': '7 days', '30': '30 days', '365': 'A year' } as const;

export function Insights(): ReactNode {
  const { view = 'costs' } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page title="Insights" actions={view === 'costs' && <Time />}>
      <Tabs
        value={view}
        keepMounted={false}
        onChange={(next) => void navigate({ search: next === 'learned' ? { view: 'learned' } : {}, replace: true })}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="costs">Costs</Tabs.Tab>
          <Tabs.Tab value="learned">Learned plans</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="costs">
          <Costs />
        </Tabs.Panel>
        <Tabs.Panel value="learned">
          <Suspense fallback={<Waiting what="what was learned" />}>
            <Learned />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Time(): ReactNode {
  const { days = 30 } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <SegmentedControl
      aria-label="Time"
      data={Object.entries(SPANS).map(([value, label]) => ({ value, label }))}
      value={String(days)}
      onChange={(next) => void navigate({ search: (before) => ({ ...before, days: Number(next) }), replace: true })}
    />
  );
}

function Costs(): ReactNode {
  const { by = 'agent', days = 30 } = route.useSearch();
  const navigate = route.useNavigate();
  const daily = useQuery(usageQuery('day', days));
  const groups = useQuery(usageQuery(by, days));
  const error = daily.error ?? groups.error;
  const total = daily.data?.total;
  return (
    <>
      {error && <Problem error={error} again={() => void daily.refetch()} />}
      {!total && !error && <Waiting what="the costs" />}
      {total && total.llm_calls + total.saved_calls === 0 && (
        <Empty icon="insights" title="No model was called in this time">
          <p>
            Without a model, rules plan and nothing costs. <Link to="/settings">Settings</Link> says how to set one.
          </p>
        </Empty>
      )}
      {total && total.llm_calls + total.saved_calls > 0 && (
        <>
          <Numbers total={total} />
          <section className="card" style={{ padding: '16px 18px', marginBottom: 24 }} aria-label="Over time">
            <h2 className="section-title">Over time</h2>
            <Days items={daily.data?.items ?? []} days={days} />
          </section>
          <section aria-label="By group">
            <h2 className="section-title">
              By
              <Select
                size="xs"
                aria-label="By what"
                w={130}
                allowDeselect={false}
                data={[...GROUPS]}
                value={by}
                onChange={(next) =>
                  void navigate({ search: (before) => ({ ...before, by: (next ?? 'agent') as Group }), replace: true })
                }
              />
            </h2>
            <Groups by={by} items={groups.data?.items ?? []} />
          </section>
        </>
      )}
    </>
  );
}

function Numbers({ total }: { total: Spending }): ReactNode {
  const numbers: [string, string][] = [
    ['Cost', money(total.cost_usd)],
    ['Calls', total.llm_calls.toLocaleString()],
    ['Tokens in', total.input_tokens.toLocaleString()],
    ['Tokens out', total.output_tokens.toLocaleString()],
    ['Saved calls', total.saved_calls.toLocaleString()],
  ];
  return (
    <dl className={classes.numbers}>
      {numbers.map(([name, value]) => (
        <div key={name} className="card">
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Groups({ by, items }: { by: Group; items: readonly Spending[] }): ReactNode {
  return (
    <Table.ScrollContainer
      minWidth={480}
      className="card"
      scrollAreaProps={{ viewportProps: scrolledByKeys(`Costs by ${by}`) }}
    >
      <Table verticalSpacing={8} horizontalSpacing="md" style={{ fontVariantNumeric: 'tabular-nums' }}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{by}</Table.Th>
            <Table.Th ta="right">Cost</Table.Th>
            <Table.Th ta="right">Calls</Table.Th>
            <Table.Th ta="right">Tokens</Table.Th>
            <Table.Th ta="right">Usual time</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => (
            <Table.Tr key={item[by] ?? ''}>
              <Table.Td className="wrap">
                {by === 'task' && item.task ? (
                  <Link to="/tasks/$taskId" params={{ taskId: item.task }}>
                    {item.task}
                  </Link>
                ) : (
                  plain(item[by] ?? 'none')
                )}
              </Table.Td>
              <Table.Td ta="right">{money(item.cost_usd)}</Table.Td>
              <Table.Td ta="right">{item.llm_calls.toLocaleString()}</Table.Td>
              <Table.Td ta="right">{(item.input_tokens + item.output_tokens).toLocaleString()}</Table.Td>
              <Table.Td ta="right">{item.latency_ms === null ? '' : duration(item.latency_ms)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
