// One task: what it is, how it goes, what it waits for, what came of it. The selection is in the address.
import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet, useNavigate, useParams } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { queryClient } from '../../api/query';
import { taskQuery } from '../../api/tasks';
import type { Task } from '../../api/types';
import { TASK_VIEWS, type TaskView } from '../../app/tabs';
import { isOver, type TaskState } from '../../live/fold';
import { useLive, useRefusal, useStatus } from '../../live/task-store';
import { Artifact } from '../../ui/artifact';
import { Boundary, Empty, FailureNote, Unreadable, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Markdown } from '../../ui/markdown';
import { usePageTitle } from '../../ui/page';
import { QuestionForm } from '../../ui/question';
import { Status } from '../../ui/status';
import { count, firstLine, money, plain } from '../../ui/text';
import { Ago, Took } from '../../ui/time';
import { TaskActions } from './actions';
import { progressOf } from './progress';
import { RawLog } from './raw-log';
import { StepList } from './step-list';
import classes from './task.module.css';
import { Timeline } from './timeline';

const Graph = lazy(() => import('./graph'));
const ForkEditor = lazy(() => import('./fork-editor'));
const PlanEditor = lazy(() => import('./plan-editor'));
const StepPanel = lazy(() => import('./step-panel'));
const route = getRouteApi('/tasks/$taskId');

export function TaskPage(): ReactNode {
  const { taskId } = route.useParams();
  const stored = useQuery(taskQuery(taskId));
  const refusal = useRefusal(taskId);
  useRefreshed(taskId);
  if (stored.error && !stored.data) {
    return (
      <div className="page">
        <div className="page-inner">
          <Unreadable name="Task" error={stored.error} again={() => void stored.refetch()}>
            <Link to="/tasks">All tasks</Link>
          </Unreadable>
        </div>
      </div>
    );
  }
  if (!stored.data) return <Waiting what="the task" />;
  return (
    <>
      {refusal && <div className="banner">{refusal}</div>}
      <Open key={taskId} task={stored.data} />
    </>
  );
}

function Open({ task }: { task: Task }): ReactNode {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const stay = useStay();
  const { stepId = null } = useParams({ strict: false });
  const [fork, setFork] = useState<{ from: string | null } | null>(null);
  const view = search.view ?? 'graph';
  const title = firstLine(task.description, 80);
  usePageTitle(title);

  const opener = useRef<Element | null>(null);
  const select = useCallback(
    (next: string | null) => {
      if (next === null) {
        void navigate({
          to: '/tasks/$taskId',
          params: { taskId: task.id },
          search: (before) => ({ view: before.view }),
        });
        if (opener.current instanceof HTMLElement) opener.current.focus({ preventScroll: true });
        return;
      }
      opener.current = document.activeElement;
      void navigate({
        to: '/tasks/$taskId/steps/$stepId',
        params: { taskId: task.id, stepId: next },
        search: (before) => ({ view: before.view, tab: before.tab }),
      });
    },
    [navigate, task.id],
  );
  return (
    <div className={classes.page}>
      <Head task={task} onFork={() => setFork({ from: stepId })} />
      <div className={classes.columns}>
        <div className={classes.content}>
          <div className={classes.viewBar}>
            <SegmentedControl
              size="xs"
              aria-label="View"
              data={TASK_VIEWS.map((each) => ({ value: each, label: each[0]?.toUpperCase() + each.slice(1) }))}
              value={view}
              onChange={(next) => stay({ view: next as TaskView })}
            />
            <StepCount taskId={task.id} />
          </div>
          <div className={classes.view}>
            <Boundary key={view} what="This view">
              <Suspense fallback={<Waiting what="the graph" />}>
                {view === 'graph' && <PlanGraph task={task} selected={stepId} onSelect={select} />}
                {view === 'timeline' && <Timeline taskId={task.id} selected={stepId} onSelect={select} />}
                {view === 'list' && <StepList taskId={task.id} selected={stepId} onSelect={select} />}
                {view === 'raw' && <RawLog taskId={task.id} />}
              </Suspense>
            </Boundary>
          </div>
        </div>
        {stepId === null ? (
          <aside className={classes.panel} aria-label="Task">
            <Summary task={task} />
          </aside>
        ) : (
          <Suspense fallback={<aside className={classes.panel} aria-label="Step" />}>
            <StepPanel
              taskId={task.id}
              stepId={stepId}
              tab={search.tab ?? 'output'}
              attempt={search.attempt ?? null}
              onTab={(tab) => stay({ tab })}
              onAttempt={(attempt) => stay({ attempt: attempt ?? undefined })}
              onFork={() => setFork({ from: stepId })}
              close={() => select(null)}
            />
          </Suspense>
        )}
      </div>
      <Suspense fallback={null}>
        {fork && <ForkEditor task={task} fromStep={fork.from} close={() => setFork(null)} />}
      </Suspense>
      <Outlet />
    </div>
  );
}

function Head({ task, onFork }: { task: Task; onFork: () => void }): ReactNode {
  const status = useStatus(task);
  const usage = useLive(task.id, usageOf) ?? task.usage;
  const ended = useLive(task.id, endedOf) ?? task.completed_at;
  const limit = typeof task.budget.cost_usd === 'number' ? task.budget.cost_usd : null;
  return (
    <header className={classes.head}>
      <div className={classes.headMain}>
        <h1 className={classes.title} dir="auto">
          {plain(task.description)}
        </h1>
        <div className={classes.headMeta}>
          <span role="status">
            <Status status={status} />
          </span>
          <span className="dim small">
            <Ago at={task.created_at} />
          </span>
          {task.started_at && (
            <span className="dim small">
              {ended === null ? 'for' : 'took'} <Took from={task.started_at} to={ended} />
            </span>
          )}
          {(usage.cost_usd > 0 || limit !== null) && (
            <span className="dim small">
              {money(usage.cost_usd)}
              {limit !== null && ` of ${money(limit)}`}
            </span>
          )}
          {task.session_id && (
            <Link className="small" to="/chat/$sessionId" params={{ sessionId: task.session_id }}>
              Conversation
            </Link>
          )}
          {task.origin && (
            <Link className="small" to="/tasks/$taskId" params={{ taskId: task.origin.task_id }}>
              {task.origin.kind === 'fork' ? 'Fork of an earlier task' : 'Retry of an earlier task'}
            </Link>
          )}
          {task.descendants.length > 0 && (
            <Link className="small" to="/tasks/$taskId" params={{ taskId: task.descendants.at(-1) ?? task.id }}>
              Done again in a newer task
            </Link>
          )}
        </div>
      </div>
      <TaskActions task={task} onFork={onFork} />
    </header>
  );
}

function PlanGraph(props: { task: Task; selected: string | null; onSelect: (id: string | null) => void }): ReactNode {
  const { task, selected, onSelect } = props;
  const isRead = useLive(task.id, isReadOf);
  const hasPlan = useLive(task.id, hasPlanOf);
  const status = useStatus(task);
  const [finished] = useState(
    () => new Set(task.steps.filter((step) => step.status === 'completed').map((step) => step.id)),
  );
  if (hasPlan) return <Graph taskId={task.id} finished={finished} selected={selected} onSelect={onSelect} />;
  if (!isRead) return <Waiting what="the graph" />;
  return (
    <Empty icon="graph" title={isOver(status) ? 'It never had a plan' : 'Planning'}>
      {!isOver(status) && 'The steps appear here as soon as the plan is made.'}
    </Empty>
  );
}

function StepCount({ taskId }: { taskId: string }): ReactNode {
  const text = useLive(taskId, progressText);
  return <span className="dim small">{text}</span>;
}

function Summary({ task }: { task: Task }): ReactNode {
  const questions = useLive(task.id, questionsOf);
  const error = useLive(task.id, errorOf) ?? task.error;
  const summary = useLive(task.id, summaryOf) || task.result?.summary;
  const status = useStatus(task);
  const files = task.steps.flatMap((step) => step.artifacts);
  return (
    <div className={classes.panelBody}>
      {[...questions.values()].map((question) => (
        <section key={question.input_id} className={classes.question} aria-label="It waits for you">
          <h2 className={classes.questionTitle}>
            <Icon name="hand" size={16} /> It waits for you
          </h2>
          {question.kind === 'plan' ? (
            <Suspense fallback={<Waiting what="the plan" />}>
              <PlanEditor taskId={task.id} question={question} />
            </Suspense>
          ) : (
            <QuestionForm taskId={task.id} question={question} />
          )}
        </section>
      ))}
      {error && <FailureNote failure={error} />}
      {summary ? (
        <section aria-label="Result">
          <h2 className="section-title">Result</h2>
          <Markdown text={summary} grows={!isOver(status)} />
        </section>
      ) : (
        !error &&
        questions.size === 0 && (
          <p className="dim">{isOver(status) ? 'It has no result.' : 'The result appears here.'}</p>
        )
      )}
      {files.length > 0 && (
        <section aria-label="Files" style={{ marginTop: 18 }}>
          <h2 className="section-title">Files</h2>
          {files.map((file) => (
            <Artifact key={file.id} file={file} />
          ))}
        </section>
      )}
      {task.files.length > 0 && (
        <section aria-label="Came with the task" style={{ marginTop: 18 }}>
          <h2 className="section-title">Came with the task</h2>
          {task.files.map((file) => (
            <Artifact key={file.id} file={file} closed />
          ))}
        </section>
      )}
    </div>
  );
}

type Selection = ReturnType<typeof route.useSearch>;

/** Returns what changes the selection in the address, of the task or of the step that is open. */
function useStay(): (change: Partial<Selection>) => void {
  const navigate = useNavigate();
  return (change) =>
    void navigate({ to: '.', replace: true, search: (before: Selection) => ({ ...before, ...change }) } as never);
}

/** Reads the stored task again when a step or the task ended: attempts, data and costs are not in the events. */
function useRefreshed(taskId: string): void {
  const mark = useLive(taskId, markOf);
  useEffect(() => {
    if (mark === '') return;
    const timer = setTimeout(() => void queryClient.invalidateQueries({ queryKey: ['tasks', 'one', taskId] }), 150);
    return () => clearTimeout(timer);
  }, [mark, taskId]);
}

function markOf(state: TaskState): string {
  if (state.seq === 0) return '';
  let ended = 0;
  let begun = 0;
  for (const step of state.steps.values()) {
    if (step.endedAt) ended += 1;
    begun += step.begun;
  }
  return `${state.status} ${ended} ${begun} ${state.questions.size}`;
}

function progressText(state: TaskState): string {
  const { completed, failed, total } = progressOf(state.steps);
  if (total === 0) return '';
  return `${completed} of ${count(total, 'step')} completed${failed > 0 ? `, ${failed} failed` : ''}`;
}

const isReadOf = (state: TaskState) => state.seq > 0;
const usageOf = (state: TaskState) => state.usage;
const endedOf = (state: TaskState) => state.endedAt;
const hasPlanOf = (state: TaskState) => state.plan !== null;
const questionsOf = (state: TaskState) => state.questions;
const errorOf = (state: TaskState) => state.error;
const summaryOf = (state: TaskState) => state.summary;
