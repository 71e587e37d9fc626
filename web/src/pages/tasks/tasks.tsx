// All tasks: a table that draws only what is seen, with search, filters, and doing something to many at once.
import { Button, Group, Select } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { agentsQuery } from '../../api/agents';
import { cancelTask, refreshLists, retryTask, tasksQuery } from '../../api/tasks';
import type { Task, TaskStatus } from '../../api/types';
import { isOver, words } from '../../live/fold';
import { Empty, Problem, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { usePageTitle } from '../../ui/page';
import { SearchField } from '../../ui/search-field';
import { TaskRow } from '../../ui/task-row';
import { count, firstLine } from '../../ui/text';
import classes from './tasks.module.css';

const route = getRouteApi('/tasks');
const ROW = 45;
const STATUSES: readonly TaskStatus[] = [
  'pending',
  'planning',
  'executing',
  'input_required',
  'completed',
  'failed',
  'canceled',
];

export function Tasks(): ReactNode {
  usePageTitle('Tasks');
  const search = route.useSearch();
  const tasks = useInfiniteQuery(tasksQuery({ ...search, status: search.status && [search.status] }, 200));
  const items = useMemo(() => tasks.data?.pages.flatMap((page) => page.items) ?? [], [tasks.data]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const isFiltered = Boolean(search.q || search.status || search.agent);
  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <h1>Tasks</h1>
        <Filters />
        <Link to="/">
          <Button component="span" leftSection={<Icon name="plus" size={14} />}>
            New task
          </Button>
        </Link>
      </div>
      <Chosen tasks={items.filter((task) => chosen.has(task.id))} clear={() => setChosen(new Set())} />
      {tasks.error && (
        <div style={{ padding: '0 24px 12px' }}>
          <Problem error={tasks.error} again={() => void tasks.refetch()} />
        </div>
      )}
      {tasks.isPending && <Waiting what="tasks" />}
      {tasks.data && items.length === 0 && (
        <Empty icon="tasks" title={isFiltered ? 'No task fits these filters' : 'There are no tasks yet'}>
          {isFiltered ? (
            <Link to="/tasks" search={{}}>
              Clear the filters
            </Link>
          ) : (
            <Link to="/">Start one</Link>
          )}
        </Empty>
      )}
      {items.length > 0 && (
        <List
          tasks={items}
          chosen={chosen}
          onChoose={setChosen}
          more={tasks.hasNextPage ? () => void tasks.fetchNextPage() : null}
          isLoading={tasks.isFetchingNextPage}
        />
      )}
    </div>
  );
}

function Filters(): ReactNode {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const agents = useQuery(agentsQuery()).data?.items ?? [];
  return (
    <Group gap="xs" className={classes.filters}>
      <SearchField
        label="Search tasks"
        placeholder="Search"
        value={search.q ?? ''}
        onSearch={(q) => void navigate({ search: (before) => ({ ...before, q }), replace: true })}
      />
      <Select
        aria-label="Status"
        placeholder="Any status"
        clearable
        data={STATUSES.map((status) => ({ value: status, label: words(status) }))}
        value={search.status ?? null}
        onChange={(status) =>
          void navigate({ search: (before) => ({ ...before, status: (status as TaskStatus | null) ?? undefined }) })
        }
      />
      <Select
        aria-label="Agent"
        placeholder="Any agent"
        clearable
        searchable
        data={agents.map((agent) => ({ value: agent.id, label: firstLine(agent.name, 60) }))}
        value={search.agent ?? null}
        onChange={(agent) => void navigate({ search: (before) => ({ ...before, agent: agent ?? undefined }) })}
      />
    </Group>
  );
}

function Chosen({ tasks, clear }: { tasks: readonly Task[]; clear: () => void }): ReactNode {
  const [failed, setFailed] = useState<number>(0);
  const open = tasks.filter((task) => !isOver(task.status));
  const again = tasks.filter((task) => task.status === 'failed' || task.status === 'canceled');
  const act = useMutation({
    mutationFn: async (action: 'cancel' | 'retry') => {
      const fitting = action === 'cancel' ? open : again;
      const ended = await Promise.allSettled(
        fitting.map((task) => (action === 'cancel' ? cancelTask(task.id) : retryTask(task.id))),
      );
      setFailed(ended.filter((each) => each.status === 'rejected').length);
    },
    onSuccess: () => {
      clear();
      refreshLists();
    },
  });
  return (
    <div aria-live="polite">
      {tasks.length > 0 && (
        <div className={classes.chosen}>
          <span>{count(tasks.length, 'task')} chosen</span>
          <Button
            size="compact-sm"
            variant="default"
            disabled={open.length === 0}
            loading={act.isPending}
            onClick={() => act.mutate('cancel')}
          >
            Cancel {open.length || ''}
          </Button>
          <Button
            size="compact-sm"
            variant="default"
            disabled={again.length === 0}
            loading={act.isPending}
            onClick={() => act.mutate('retry')}
          >
            Retry {again.length || ''}
          </Button>
          <Button size="compact-sm" variant="subtle" onClick={clear}>
            Clear
          </Button>
        </div>
      )}
      {tasks.length === 0 && failed > 0 && (
        <div className={classes.chosen}>{count(failed, 'task')} could not be changed; look at each.</div>
      )}
    </div>
  );
}

interface ListProps {
  tasks: readonly Task[];
  chosen: ReadonlySet<string>;
  onChoose: (chosen: ReadonlySet<string>) => void;
  more: (() => void) | null;
  isLoading: boolean;
}

function List({ tasks, chosen, onChoose, more, isLoading }: ListProps): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: tasks.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const drawn = rows.getVirtualItems();
  const last = drawn.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && !isLoading && last > tasks.length - 60) more();
  }, [last, tasks.length, more, isLoading]);
  const toggle = useCallback(
    (id: string) => {
      const next = new Set(chosen);
      if (!next.delete(id)) next.add(id);
      onChoose(next);
    },
    [chosen, onChoose],
  );
  return (
    <div className={classes.list} ref={box} tabIndex={0} role="group" aria-label="Tasks">
      <ul style={{ height: rows.getTotalSize() }}>
        {drawn.map((row) => {
          const task = tasks[row.index] as Task;
          return <Row key={task.id} task={task} top={row.start} isChosen={chosen.has(task.id)} onToggle={toggle} />;
        })}
      </ul>
    </div>
  );
}

/** A plain box: there are dozens of them in every frame while the list scrolls. */
const Row = memo(function Row(props: {
  task: Task;
  top: number;
  isChosen: boolean;
  onToggle: (id: string) => void;
}): ReactNode {
  const { task, top, isChosen, onToggle } = props;
  return (
    <li style={{ transform: `translateY(${top}px)`, height: ROW }}>
      <input
        type="checkbox"
        className={classes.box}
        aria-label={`Choose ${firstLine(task.description, 60)}`}
        checked={isChosen}
        onChange={() => onToggle(task.id)}
      />
      <TaskRow task={task} />
    </li>
  );
});
