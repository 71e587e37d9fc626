// The graph in words: every step with its state, what it waits for and who does it.
import type { ReactNode } from 'react';
import type { LiveStep, TaskState } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { Status } from '../../ui/status';
import { firstLine } from '../../ui/text';
import { Took } from '../../ui/time';
import { waitsFor } from './progress';
import classes from './task.module.css';

interface Props {
  taskId: string;
  selected: string | null;
  onSelect: (stepId: string) => void;
}

export function StepList({ taskId, selected, onSelect }: Props): ReactNode {
  const steps = useLive(taskId, stepsOf);
  if (steps.size === 0)
    return (
      <p className="dim" style={{ padding: 20 }}>
        There is no plan yet.
      </p>
    );
  return (
    <ol className={classes.steps} aria-label="Steps">
      {[...steps.values()].map((step) => (
        <li key={step.planned.id}>
          <button
            type="button"
            className={classes.stepRow}
            aria-pressed={step.planned.id === selected}
            onClick={() => onSelect(step.planned.id)}
          >
            <span className={classes.stepNumber}>{step.planned.step_number}</span>
            <span className={classes.stepText}>
              <span className="wrap">{firstLine(step.planned.instruction, 300)}</span>
              <span className="dim small wrap">{details(step, steps)}</span>
            </span>
            <span className="dim small" style={{ whiteSpace: 'nowrap' }}>
              <Took from={step.startedAt} to={step.endedAt} />
            </span>
            <Status status={step.status} />
          </button>
        </li>
      ))}
    </ol>
  );
}

function details(step: LiveStep, steps: ReadonlyMap<string, LiveStep>): string {
  const after = step.planned.depends_on.map((id) => steps.get(id)?.planned.step_number ?? id);
  return [
    firstLine(step.agentName ?? step.planned.agent ?? step.planned.skill ?? '', 80),
    after.length > 0 ? `after ${after.length === 1 ? 'step' : 'steps'} ${after.join(', ')}` : '',
    waitsFor(step, steps) ?? '',
    step.keptFrom ? 'kept from an earlier task' : '',
    step.begun > 1 ? `${step.begun} attempts` : '',
    step.error ? firstLine(step.error.detail, 160) : firstLine(step.progress ?? '', 120),
  ]
    .filter(Boolean)
    .join(' · ');
}

function stepsOf(state: TaskState): ReadonlyMap<string, LiveStep> {
  return state.steps;
}
