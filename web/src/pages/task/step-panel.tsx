// What is to be known of one step: its output, input, files, log, wire, and why this agent.
import { ActionIcon, Button, Select, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useCallback, useEffect, useMemo, useRef } from 'react';
import { taskQuery } from '../../api/tasks';
import type { Step } from '../../api/types';
import { STEP_TABS, type StepTab } from '../../app/tabs';
import { isOver, type LiveStep, type LogEntry, type TaskState } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { Artifact } from '../../ui/artifact';
import { JsonCode } from '../../ui/code';
import { Boundary, FailureNote, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Markdown } from '../../ui/markdown';
import { QuestionForm } from '../../ui/question';
import { Status } from '../../ui/status';
import { count, firstLine, money, plain } from '../../ui/text';
import { Took } from '../../ui/time';
import { Answers } from './answers';
import classes from './task.module.css';
import { Wire } from './wire';

interface Props {
  taskId: string;
  stepId: string;
  tab: StepTab;
  attempt: number | null;
  onTab: (tab: StepTab) => void;
  onAttempt: (attempt: number | null) => void;
  onFork: () => void;
  close: () => void;
}

const TAB_NAMES: Record<StepTab, string> = {
  output: 'Output',
  answers: 'Answers',
  input: 'Input',
  artifacts: 'Files',
  log: 'Log',
  wire: 'Wire',
  why: 'Agent',
};

export default function StepPanel(props: Props): ReactNode {
  const { taskId, stepId, tab } = props;
  const live = useLive(
    taskId,
    useCallback((state: TaskState) => state.steps.get(stepId), [stepId]),
  );
  const isRead = useLive(taskId, isReadOf);
  const over = useLive(taskId, overOf);
  const stored = useQuery(taskQuery(taskId)).data?.steps.find((each) => each.id === stepId);
  const panel = useRef<HTMLElement>(null);
  const isKnown = live !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: on a small screen each step would open out of sight, below
  useEffect(() => {
    panel.current?.scrollIntoView({ block: 'start' });
  }, [stepId, isKnown]);
  const tabs = STEP_TABS.filter((each) => each !== 'answers' || isTeam(live));
  if (!live) {
    return (
      <aside className={classes.panel} aria-label="Step">
        <PanelHead title={isRead ? 'There is no such step in the plan' : ''} close={props.close} />
        {!isRead && <Waiting what="the step" />}
      </aside>
    );
  }
  return (
    <aside ref={panel} className={classes.panel} aria-label={`Step ${live.planned.step_number}`}>
      <PanelHead title={firstLine(live.planned.instruction, 160)} close={props.close} />
      <div className={classes.panelMeta}>
        <Status status={live.status} />
        <span className="dim small truncate">{firstLine(live.agentName ?? '', 60)}</span>
        <span className="dim small">
          <Took from={live.startedAt} to={live.endedAt} />
        </span>
        {stored?.usage && stored.usage.cost_usd > 0 && (
          <span className="dim small">{money(stored.usage.cost_usd)}</span>
        )}
        {over && (
          <Button
            size="compact-xs"
            variant="default"
            ml="auto"
            leftSection={<Icon name="fork" size={13} />}
            onClick={props.onFork}
          >
            Run again from here
          </Button>
        )}
      </div>
      {live.error && (
        <div style={{ padding: '0 16px 10px' }}>
          <FailureNote failure={live.error} />
        </div>
      )}
      <StepQuestions taskId={taskId} stepId={stepId} />
      <Tabs value={tab} onChange={(next) => props.onTab((next ?? 'output') as StepTab)} keepMounted={false}>
        <Tabs.List px={8}>
          {tabs.map((each) => (
            <Tabs.Tab key={each} value={each} px={9}>
              {TAB_NAMES[each]}
              {each === 'artifacts' && live.artifacts.length > 0 ? ` ${live.artifacts.length}` : ''}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <div className={classes.panelBody}>
          <Boundary key={tab} what="This tab">
            {tab === 'output' && <Output taskId={taskId} stepId={stepId} stored={stored} />}
            {tab === 'answers' && <Answers live={live} stored={stored} />}
            {tab === 'input' && <Input stored={stored} instruction={live.planned.instruction} />}
            {tab === 'artifacts' &&
              (live.artifacts.length > 0 ? (
                live.artifacts.map((file) => <Artifact key={file.id} file={file} />)
              ) : (
                <p className="dim">It has produced no files.</p>
              ))}
            {tab === 'log' && <Log taskId={taskId} stepId={stepId} />}
            {tab === 'wire' && <Wire taskId={taskId} stepId={stepId} />}
            {tab === 'why' && <Why {...props} stored={stored} isOver={live.endedAt !== null} />}
          </Boundary>
        </div>
      </Tabs>
    </aside>
  );
}

function isTeam(live: LiveStep | undefined): boolean {
  const { agents, consensus, evaluate } = live?.planned ?? {};
  return Boolean(agents ?? consensus ?? evaluate) || (live?.parts.size ?? 0) > 0;
}

function PanelHead({ title, close }: { title: string; close: () => void }): ReactNode {
  return (
    <div className={classes.panelHead}>
      <h2 className="wrap">{title}</h2>
      <ActionIcon variant="subtle" color="gray" aria-label="Close the step" onClick={close}>
        <Icon name="cross" size={16} />
      </ActionIcon>
    </div>
  );
}

function StepQuestions({ taskId, stepId }: { taskId: string; stepId: string }): ReactNode {
  const questions = useLive(taskId, questionsOf);
  const mine = [...questions.values()].filter((question) => question.step_id === stepId);
  return mine.map((question) => (
    <div key={question.input_id} className={classes.panelQuestion}>
      <QuestionForm taskId={taskId} question={question} />
    </div>
  ));
}

function Output({ taskId, stepId, stored }: { taskId: string; stepId: string; stored: Step | undefined }): ReactNode {
  const live = useLive(
    taskId,
    useCallback((state: TaskState) => state.steps.get(stepId), [stepId]),
  );
  if (!live) return null;
  const data = stored?.output_data.data ?? [];
  if (!live.text && data.length === 0) {
    const silence = live.endedAt === null ? 'It has said nothing yet.' : 'It said nothing.';
    return <p className="dim">{live.progress ? plain(live.progress) : silence}</p>;
  }
  return (
    <>
      {live.text && <Markdown text={live.text} grows={live.status === 'running'} />}
      {data.map((each, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: data parts have no other name
        <div key={place} style={{ marginTop: 12 }}>
          <h3 className="section-title">Data</h3>
          <JsonCode value={each} label="Data" />
        </div>
      ))}
    </>
  );
}

function Input({ stored, instruction }: { stored: Step | undefined; instruction: string }): ReactNode {
  return (
    <>
      <h3 className="section-title">Instruction</h3>
      <Markdown text={instruction} />
      {stored && Object.keys(stored.inputs ?? {}).length > 0 && (
        <>
          <h3 className="section-title" style={{ marginTop: 14 }}>
            Inputs
          </h3>
          <JsonCode value={stored.inputs} label="Inputs" />
        </>
      )}
      {stored?.success_criteria && (
        <>
          <h3 className="section-title" style={{ marginTop: 14 }}>
            It succeeds when
          </h3>
          <p>{plain(stored.success_criteria)}</p>
        </>
      )}
    </>
  );
}

function Log({ taskId, stepId }: { taskId: string; stepId: string }): ReactNode {
  const log = useLive(taskId, logOf);
  const mine = useMemo(() => log.filter((entry) => entry.stepId === stepId).slice(-500), [log, stepId]);
  if (mine.length === 0) return <p className="dim">Nothing has happened yet.</p>;
  return (
    <ol className={classes.log}>
      {mine.map((entry) => (
        <li key={entry.seq}>
          <time className="dim">{new Date(entry.at).toLocaleTimeString()}</time>
          <span className="wrap">{plain(entry.text)}</span>
        </li>
      ))}
    </ol>
  );
}

function Why(props: Props & { stored: Step | undefined; isOver: boolean }): ReactNode {
  const { stored, attempt } = props;
  const attempts = stored?.attempts ?? [];
  const number = Math.min(attempt ?? attempts.length, attempts.length);
  const shown = attempts[number - 1];
  return (
    <>
      {stored?.why_chosen && (
        <>
          <h3 className="section-title">Why this agent</h3>
          <p className="wrap" style={{ marginTop: 0 }}>
            {plain(stored.why_chosen)}
          </p>
        </>
      )}
      {stored?.kept_from && (
        <p>
          Kept from{' '}
          <Link to="/tasks/$taskId" params={{ taskId: stored.kept_from }}>
            an earlier task
          </Link>
          ; it did not run again.
        </p>
      )}
      {attempts.length > 1 && (
        <Select
          label={count(attempts.length, 'attempt')}
          mb="sm"
          data={attempts.map((each, place) => ({
            value: String(place + 1),
            label: `${place + 1}: ${firstLine(each.agent_name ?? each.agent_id, 60)}${each.error ? ', failed' : ''}`,
          }))}
          value={String(number)}
          allowDeselect={false}
          onChange={(next) => props.onAttempt(next === null ? null : Number(next))}
        />
      )}
      {shown ? (
        <dl className="kv">
          <dt>Agent</dt>
          <dd>
            <Link to="/agents/$agentId" params={{ agentId: shown.agent_id }}>
              {firstLine(shown.agent_name ?? shown.agent_id, 100)}
            </Link>
          </dd>
          {shown.why && (
            <>
              <dt>Chosen</dt>
              <dd>{plain(shown.why)}</dd>
            </>
          )}
          <dt>Took</dt>
          <dd>
            <Took from={shown.started_at} to={shown.ended_at} />
          </dd>
          {shown.remote_task_id && (
            <>
              <dt>Its task</dt>
              <dd className="mono">{plain(shown.remote_task_id)}</dd>
            </>
          )}
          {shown.error && (
            <>
              <dt>Failed</dt>
              <dd style={{ color: 'var(--st-failed)' }}>{plain(shown.error.detail)}</dd>
            </>
          )}
        </dl>
      ) : (
        <p className="dim">{props.isOver ? 'No agent was asked.' : 'No agent was asked yet.'}</p>
      )}
    </>
  );
}

function isReadOf(state: TaskState): boolean {
  return state.seq > 0;
}

function overOf(state: TaskState): boolean {
  return isOver(state.status);
}

function logOf(state: TaskState): readonly LogEntry[] {
  return state.log;
}

function questionsOf(state: TaskState): TaskState['questions'] {
  return state.questions;
}
