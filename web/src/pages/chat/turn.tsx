// One turn: what was asked, the plan that came of it, and the answer, live while it is made.
import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { cancelTask } from '../../api/tasks';
import type { Task } from '../../api/types';
import { isOver, type TaskState, words } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { Artifact } from '../../ui/artifact';
import { CopyButton } from '../../ui/copy';
import { FailureNote, Problem, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Markdown } from '../../ui/markdown';
import { QuestionForm } from '../../ui/question';
import { StatusIcon } from '../../ui/status';
import { count, firstLine, plain } from '../../ui/text';
import classes from './chat.module.css';
import type { Turn } from './turns';

const PlanEditor = lazy(() => import('../task/plan-editor'));

interface Props {
  turn: Turn;
  task: Task | null;
  onOver: () => void;
  onEdit: (text: string) => void;
}

export function TurnView({ turn, task, onOver, onEdit }: Props): ReactNode {
  const asked = turn.asked?.content ?? task?.description;
  // What is answered is not followed any more: an old conversation costs no connections.
  const isLive = turn.taskId !== null && turn.answered === null && (task === null || !isOver(task.status));
  return (
    <article className={classes.turn}>
      {asked !== undefined && (
        <div className={classes.asked}>
          <Tooltip label="Edit and send again">
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              className={classes.edit ?? ''}
              aria-label="Edit and send again"
              onClick={() => onEdit(asked)}
            >
              <Icon name="edit" size={14} />
            </ActionIcon>
          </Tooltip>
          <div className={classes.bubble} dir="auto">
            {plain(asked)}
          </div>
        </div>
      )}
      {isLive && turn.taskId !== null ? (
        <LiveAnswer taskId={turn.taskId} onOver={onOver} />
      ) : (
        <>
          {task && (
            <PlanCard taskId={task.id} steps={task.steps.map((step) => [step.id, step.status, step.instruction])} />
          )}
          {turn.answered && (
            <div className={classes.answer}>
              <Markdown text={turn.answered.content} />
              <CopyButton text={turn.answered.content} label="Copy the answer" />
            </div>
          )}
          {!turn.answered && task?.result && (
            <div className={classes.answer}>
              <Markdown text={task.result.summary} />
            </div>
          )}
          {task?.error && <FailureNote failure={task.error} />}
          {task?.status === 'canceled' && !task.error && <p className="dim">It was stopped.</p>}
          {task?.steps
            .flatMap((step) => step.artifacts)
            .map((file) => (
              <Artifact key={file.id} file={file} />
            ))}
        </>
      )}
    </article>
  );
}

function LiveAnswer({ taskId, onOver }: { taskId: string; onOver: () => void }): ReactNode {
  const state = useLive(taskId, whole);
  const stop = useMutation({ mutationFn: () => cancelTask(taskId) });
  const over = isOver(state.status);
  useEffect(() => {
    if (over) onOver();
  }, [over, onOver]);
  const speaking = [...state.steps.values()].filter((step) => step.status === 'running' && step.text).at(-1);
  const text = state.summary || (state.steps.size === 1 ? speaking?.text : '') || '';
  return (
    <>
      <PlanCard
        taskId={taskId}
        steps={[...state.steps.values()].map((step) => [step.planned.id, step.status, step.planned.instruction])}
      />
      {[...state.questions.values()].map((question) => (
        <div key={question.input_id} className={`card ${classes.question}`}>
          {question.kind === 'plan' ? (
            <Suspense fallback={<Waiting what="the plan" />}>
              <PlanEditor taskId={taskId} question={question} />
            </Suspense>
          ) : (
            <QuestionForm taskId={taskId} question={question} />
          )}
        </div>
      ))}
      {text && (
        <div className={classes.answer} aria-busy={!over}>
          <Markdown text={text} grows={!over} />
        </div>
      )}
      {state.error && <FailureNote failure={state.error} />}
      {stop.error && !over && <Problem error={stop.error} />}
      {!over && (
        <div className={classes.working} aria-live="off">
          <StatusIcon status={state.status} />
          <span className="dim truncate" style={{ flex: 1 }}>
            {progressOf(state)}
          </span>
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<Icon name="stop" size={12} />}
            loading={stop.isPending}
            onClick={() => stop.mutate()}
          >
            Stop
          </Button>
        </div>
      )}
    </>
  );
}

function PlanCard(props: {
  taskId: string;
  steps: readonly (readonly [id: string, status: Task['steps'][number]['status'], instruction: string])[];
}): ReactNode {
  const { taskId, steps } = props;
  const [wish, setWish] = useState<boolean | null>(null);
  if (steps.length === 0) return null;
  const done = steps.filter(([, status]) => status === 'completed').length;
  const isOpen = wish ?? (steps.length > 1 && done < steps.length);
  return (
    <section className={`card ${classes.plan}`} aria-label="Plan">
      <div className={classes.planHead}>
        <button type="button" className="plain-button" aria-expanded={isOpen} onClick={() => setWish(!isOpen)}>
          {steps.length === 1 ? '1 step' : `${done} of ${count(steps.length, 'step')} done`}
        </button>
        <Link to="/tasks/$taskId" params={{ taskId }}>
          Open the task
        </Link>
      </div>
      {isOpen && (
        <ol>
          {steps.slice(0, 50).map(([id, status, instruction]) => (
            <li key={id}>
              <StatusIcon status={status} />
              <Link to="/tasks/$taskId/steps/$stepId" params={{ taskId, stepId: id }} className="truncate">
                {firstLine(instruction, 160)}
              </Link>
              <span className="dim small">{status === 'completed' ? '' : words(status)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function progressOf(state: TaskState): string {
  const running = [...state.steps.values()].filter((step) => step.status === 'running');
  const [first] = running;
  if (state.questions.size > 0) return 'Waits for you';
  if (!first) return state.plan ? 'Goes on' : 'Planning';
  const who = first.agentName ? `${first.agentName}: ` : '';
  return firstLine(who + (first.progress ?? first.planned.instruction), 160);
}

function whole(state: TaskState): TaskState {
  return state;
}
