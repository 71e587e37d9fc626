// When each step ran, as bars on one scale.
import type { ReactNode } from 'react';
import { type LiveStep, type TaskState, words } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { StatusIcon, statusKind } from '../../ui/status';
import { duration, firstLine } from '../../ui/text';
import { Took, useNow } from '../../ui/time';
import classes from './task.module.css';

interface Props {
  taskId: string;
  selected: string | null;
  onSelect: (stepId: string) => void;
}

export function Timeline({ taskId, selected, onSelect }: Props): ReactNode {
  const steps = useLive(taskId, stepsOf);
  const begun = useLive(taskId, startOf);
  const ended = useLive(taskId, endOf);
  const now = useNow();
  if (begun === null)
    return (
      <p className="dim" style={{ padding: 20 }}>
        Nothing has begun yet.
      </p>
    );
  const from = Date.parse(begun);
  const length = Math.max(1, (ended === null ? now : Date.parse(ended)) - from);
  return (
    <div className={classes.timeline}>
      <div className={classes.scale} aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <span key={part} style={{ left: `${part * 100}%` }}>
            {duration(length * part)}
          </span>
        ))}
      </div>
      <ul className={classes.bars}>
        {[...steps.values()].map((step) => (
          <li key={step.planned.id}>
            <button
              type="button"
              className={classes.barRow}
              aria-pressed={step.planned.id === selected}
              onClick={() => onSelect(step.planned.id)}
            >
              <span className={classes.barName}>
                <StatusIcon status={step.status} />
                <span className="truncate">{firstLine(step.planned.instruction, 100)}</span>
              </span>
              <span className={classes.barTrack}>
                {step.startedAt && <Bar step={step} from={from} length={length} now={now} />}
              </span>
              <span className={classes.barTook}>
                {step.startedAt ? <Took from={step.startedAt} to={step.endedAt} /> : words(step.status)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Bar(props: { step: LiveStep; from: number; length: number; now: number }): ReactNode {
  const start = Date.parse(props.step.startedAt as string);
  const end = props.step.endedAt ? Date.parse(props.step.endedAt) : props.now;
  const left = Math.min(99.5, Math.max(0, ((start - props.from) / props.length) * 100));
  const width = Math.min(100 - left, Math.max(0.5, ((end - start) / props.length) * 100));
  return (
    <span
      className={`${classes.bar} st-${statusKind(props.step.status)}`}
      style={{ left: `${left}%`, width: `${width}%` }}
    />
  );
}

function stepsOf(state: TaskState): ReadonlyMap<string, LiveStep> {
  return state.steps;
}

function startOf(state: TaskState): string | null {
  return state.raw[0]?.at ?? null;
}

function endOf(state: TaskState): string | null {
  return state.endedAt;
}
