// A task in one line, for lists.
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Task } from '../api/types';
import { Status } from './status';
import { firstLine } from './text';
import { Ago } from './time';
import './task-row.css';

export function TaskRow({ task }: { task: Task }): ReactNode {
  const done = task.steps.filter((step) => step.status === 'completed').length;
  return (
    <Link className="task-row" to="/tasks/$taskId" params={{ taskId: task.id }}>
      <span className="task-row-name truncate" dir="auto">
        {firstLine(task.description, 220)}
      </span>
      <span className="task-row-steps dim small">{task.steps.length > 1 && `${done} of ${task.steps.length}`}</span>
      <span className="task-row-time dim small">
        <Ago at={task.created_at} />
      </span>
      <span className="task-row-status">
        <Status status={task.status} />
      </span>
    </Link>
  );
}
