import { describe, expect, it } from 'vitest';
import type { Message, TaskEvent } from '../api/types';
import { EMPTY, fold, type TaskState } from '../live/fold';
import { rowsOf } from '../ui/chart/rows';
import { parseCsv } from '../ui/csv';
import { duration, firstLine, plain, unmarked } from '../ui/text';
import { spansOf } from './agents/spans';
import { addressed, turnsOf, typedName } from './chat/turns';
import { columnsOf, roundedUp } from './insights/columns';
import { layOut } from './task/layout';
import { waitsFor } from './task/progress';
import { NODE_HEIGHT, NODE_WIDTH } from './task/shape';

function planOf(count: number, done: number): TaskState {
  const steps = Array.from({ length: count }, (_, at) => ({
    id: `s${at}`,
    step_number: at + 1,
    instruction: `step ${at}`,
    depends_on: at < 2 ? [] : [`s${at - 2}`],
  }));
  const events = [
    { type: 'plan.created', seq: 1, at: '', task_id: 't', plan: { id: 'p', revision: 1, strategy: 'given', steps } },
    ...steps.slice(0, done).map((step, at) => ({
      type: 'step.status',
      seq: at + 2,
      at: '',
      task_id: 't',
      step_id: step.id,
      status: 'completed',
    })),
  ];
  return fold(EMPTY, events as unknown as TaskEvent[]);
}

const plannedOf = (state: TaskState) => state.plan?.steps ?? [];
const doneOf = (state: TaskState) =>
  new Set([...state.steps.values()].filter((step) => step.status === 'completed').map((step) => step.planned.id));

describe('the graph', () => {
  it('draws every step of a small plan, below what it waits for', () => {
    const { nodes, edges } = layOut({ steps: plannedOf(planOf(6, 6)), done: doneOf(planOf(6, 6)) });
    expect(nodes).toHaveLength(6);
    for (const edge of edges) {
      const y = (id: string): number => nodes.find((node) => node.id === id)?.y ?? Number.NaN;
      expect(y(edge.from)).toBeLessThan(y(edge.to));
    }
  });

  it('draws the finished branches of a large plan as one node each, until all are asked for', () => {
    const plan = planOf(300, 200);
    const folded = layOut({ steps: plannedOf(plan), done: doneOf(plan) });
    expect(folded.nodes.length).toBeLessThan(120);
    expect(folded.nodes.flatMap((node) => node.stepIds)).toHaveLength(300);
    expect(layOut({ steps: plannedOf(plan), done: new Set() }).nodes).toHaveLength(300);
  });

  it('leads a line that passes a row around the nodes there', () => {
    const steps = [
      { id: 'a', depends_on: [] },
      { id: 'b', depends_on: ['a'] },
      { id: 'c', depends_on: ['a', 'b'] },
    ];
    const { nodes, edges } = layOut({ steps, done: new Set() });
    const passed = nodes.find((node) => node.id === 'b');
    const [gap, ...more] = edges.find((edge) => edge.id === 'a→c')?.via ?? [];
    if (!passed || !gap) throw new Error('There is no such node or line.');
    expect(more).toEqual([]);
    expect(gap.y).toBe(passed.y + NODE_HEIGHT / 2);
    expect(gap.x < passed.x || gap.x > passed.x + NODE_WIDTH).toBe(true);
    expect(edges.find((edge) => edge.id === 'a→b')?.via).toEqual([]);
  });

  it('is laid out anew only with another plan', () => {
    const before = planOf(6, 1);
    const after = fold(before, [
      { type: 'step.output', seq: 3, at: '', task_id: 't', step_id: 's1', text: 'x', append: true },
      { type: 'step.status', seq: 4, at: '', task_id: 't', step_id: 's1', status: 'completed' },
    ] as unknown as TaskEvent[]);
    expect(after.plan).toBe(before.plan);
  });

  it('survives a plan whose steps refer to steps that are not there', () => {
    const state = fold(EMPTY, [
      {
        type: 'plan.created',
        seq: 1,
        at: '',
        task_id: 't',
        plan: {
          id: 'p',
          revision: 1,
          strategy: 'given',
          steps: [{ id: 'a', step_number: 1, instruction: 'x', depends_on: ['ghost', 'a'] }],
        },
      },
    ] as unknown as TaskEvent[]);
    expect(layOut({ steps: plannedOf(state), done: new Set() }).nodes).toHaveLength(1);
  });

  it('says how many steps a step waits for', () => {
    const { steps } = planOf(4, 1);
    const [first, , third] = [...steps.values()];
    expect(first && waitsFor(first, steps)).toBeNull();
    expect(third && waitsFor(third, steps)).toBeNull();
    const last = steps.get('s3');
    expect(last && waitsFor(last, steps)).toBe('waits for 1 of 1');
  });
});

describe('a conversation', () => {
  const message = (id: string, role: string, task_id: string | null): Message =>
    ({ id, role, content: id, task_id, created_at: '' }) as Message;

  it('puts an answer to what was asked', () => {
    const turns = turnsOf(
      [
        message('1', 'user', 'a'),
        message('2', 'user', 'b'),
        message('3', 'assistant', 'a'),
        message('4', 'assistant', null),
      ],
      [],
    );
    expect(turns.map((turn) => [turn.asked?.id, turn.answered?.id])).toEqual([
      ['1', '3'],
      ['2', undefined],
      [undefined, '4'],
    ]);
  });

  it('knows the agent that is addressed, the longest name first', () => {
    const agents = [
      { id: '1', name: 'Code' },
      { id: '2', name: 'Code agent' },
    ];
    expect(addressed('@code agent run it', agents)).toEqual({ agentId: '2', text: 'run it' });
    expect(addressed('@Code: run it', agents)).toEqual({ agentId: '1', text: 'run it' });
    expect(addressed('@codex run it', agents)).toEqual({ agentId: null, text: '@codex run it' });
    expect(addressed('mail ada@code', agents).agentId).toBeNull();
    expect(typedName('@Co')).toBe('co');
    expect(typedName('mail ada@code')).toBeNull();
  });
});

describe('text from elsewhere', () => {
  it('loses what changes the look of the text around it', () => {
    expect(plain('a\u202eb\u0007c\u2066d\te\n')).toBe('ab\ufffdcd\te\n');
    expect(firstLine('x'.repeat(500), 20)).toHaveLength(20);
    expect(firstLine('  one\ntwo')).toBe('one');
  });

  it('is shown in a list without the marks of Markdown', () => {
    expect(unmarked('## May `rm -r` run in **/tmp**?\nSee [the log](https://example.com/log).')).toBe(
      'May rm -r run in /tmp?\nSee the log.',
    );
    expect(unmarked('2 * 3 * 4, snake_case and a * b')).toBe('2 * 3 * 4, snake_case and a * b');
  });

  it('shows times short', () => {
    expect([0, 949, 1500, 59_000, 61_000, 119_600, 3_599_700, 3_660_000].map(duration)).toEqual([
      '0 ms',
      '949 ms',
      '1.5 s',
      '59 s',
      '1 min 1 s',
      '2 min 0 s',
      '1 h 0 min',
      '1 h 1 min',
    ]);
  });

  it('reads tables with quotes, lines in cells and other separators', () => {
    expect(parseCsv('a,b\r\n"1,5","say ""hi""\nthere"\n', 10)).toEqual([
      ['a', 'b'],
      ['1,5', 'say "hi"\nthere'],
    ]);
    expect(parseCsv('a;b\n1;2', 10)).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
    expect(parseCsv('a\n1\n2\n3', 2)).toEqual([['a'], ['1']]);
  });
});

describe('the rows of a chart', () => {
  it('are those that it brings along, wherever they stand', () => {
    const values = [{ city: 'Oslo', sold: 3 }, { city: 'Bergen' }];
    const rows = { columns: ['city', 'sold'], rows: [['Oslo', '3']], total: 2 };
    for (const spec of [
      { data: { values } },
      { datasets: { a: values } },
      { vconcat: [{ data: { url: 'x' } }, { layer: [{ data: { values } }] }] },
    ]) {
      expect(rowsOf(spec, 1)).toEqual({ ...rows, columns: ['city', 'sold'] });
    }
    expect(rowsOf({ data: { values: [1, { a: [2] }] } }, 9)?.rows).toEqual([
      ['1', ''],
      ['', '[2]'],
    ]);
    expect(rowsOf({ data: { url: 'https://example.org/x.csv' } }, 9)).toBeNull();
  });
});

describe('the health of a day', () => {
  it('has every quarter of an hour, those without a check too', () => {
    const now = Date.parse('2026-11-21T09:20:00Z');
    const item = { checks: 60, failures: 3, latency_ms: 12, error: 'It broke' };
    const day = spansOf(
      [
        { ...item, at: '2026-11-21T09:15:00+00:00' },
        { ...item, at: '2026-11-19T09:15:00+00:00' },
      ],
      now,
    );
    expect(day.spans).toHaveLength(96);
    expect(day.spans.at(-1)).toMatchObject({ checks: 60, failures: 3, latencyMs: 12, error: 'It broke' });
    expect(day).toMatchObject({ checks: 60, failures: 3, slowest: 12 });
    expect(day.spans.filter((span) => span.checks > 0)).toHaveLength(1);
  });
});

describe('the columns of a chart of days', () => {
  it('has one for each day, those without a sum too', () => {
    const columns = columnsOf(new Map([['2026-03-01', 2]]), 3, '2026-03-02');
    expect(columns.map((column) => column.value)).toEqual([0, 2, 0]);
    expect(columns[0]).toEqual({ from: '2026-02-28', to: '2026-02-28', value: 0 });
  });

  it('has weeks for a long time, and loses nothing', () => {
    const sums = new Map(
      Array.from({ length: 365 }, (_, at) => [new Date(Date.UTC(2026, 0, 1 + at)).toISOString().slice(0, 10), 1]),
    );
    const columns = columnsOf(sums, 365, '2026-12-31');
    expect(columns).toHaveLength(53);
    expect(columns.reduce((sum, column) => sum + column.value, 0)).toBe(365);
    expect(columns.at(-1)).toEqual({ from: '2026-12-25', to: '2026-12-31', value: 7 });
  });

  it('ends with a round number', () => {
    expect([0.003, 1, 12, 51_000].map(roundedUp)).toEqual([0.004, 1, 20, 60_000]);
  });
});
