// What stands in the graph: a step, or a finished branch. Each step listens to its own state only.
import type { Node, NodeProps } from '@xyflow/react';
import { memo, type ReactNode, useCallback } from 'react';
import { type TaskState, words } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { StatusIcon, statusKind } from '../../ui/status';
import { count, firstLine } from '../../ui/text';
import { waitsFor } from './progress';
import { type GraphNode, NODE_HEIGHT, NODE_WIDTH } from './shape';

type StepData = { taskId: string; stepId: string; isSelected: boolean };
type BranchData = { count: number };

export const TYPES = { step: memo(StepNode), branch: memo(BranchNode) };

// The size is said here: else each node would be measured before it is shown.
const SIZE = { width: NODE_WIDTH, height: NODE_HEIGHT, measured: { width: NODE_WIDTH, height: NODE_HEIGHT } };

/** The node as React Flow takes it. */
export function nodeOf({ id, x, y, stepIds }: GraphNode, taskId: string, selected: string | null): Node {
  const common = { id, position: { x, y }, ariaRole: 'button' as const, ...SIZE };
  const [stepId] = stepIds;
  return stepIds.length === 1 && stepId
    ? {
        ...common,
        type: 'step',
        data: { taskId, stepId, isSelected: stepId === selected } satisfies StepData,
      }
    : {
        ...common,
        type: 'branch',
        data: { count: stepIds.length } satisfies BranchData,
      };
}

function StepNode({ data }: NodeProps): ReactNode {
  const { taskId, stepId, isSelected } = data as StepData;
  const step = useLive(
    taskId,
    useCallback((state: TaskState) => state.steps.get(stepId), [stepId]),
  );
  const waits = useLive(
    taskId,
    useCallback(
      (state: TaskState) => {
        const own = state.steps.get(stepId);
        return own ? waitsFor(own, state.steps) : null;
      },
      [stepId],
    ),
  );
  if (!step) return null;
  return (
    <div className={`node st-${statusKind(step.status)}${isSelected ? ' selected' : ''}`}>
      <div className="node-title">{firstLine(step.planned.instruction, 120)}</div>
      <div className="node-foot">
        <StatusIcon status={step.status} size={13} />
        <span className="node-status">{waits ?? words(step.status)}</span>
        <span className="node-agent truncate">{firstLine(step.agentName ?? step.planned.skill ?? '', 60)}</span>
      </div>
    </div>
  );
}

function BranchNode({ data }: NodeProps): ReactNode {
  return (
    <div className="node st-completed branch">
      <div className="node-title">{count((data as BranchData).count, 'completed step')}</div>
      <div className="node-foot">
        <StatusIcon status="completed" size={13} />
        <span className="node-status">show them</span>
      </div>
    </div>
  );
}
