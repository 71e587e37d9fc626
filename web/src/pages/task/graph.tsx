// The plan as a live graph, from top to bottom. Each node listens to its own step only.
import '@xyflow/react/dist/base.css';
import './graph.css';
import {
  Background,
  BackgroundVariant,
  Controls,
  type Edge,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
} from '@xyflow/react';
import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { type TaskState, words } from '../../live/fold';
import { storeOf, useLive } from '../../live/task-store';
import { StatusIcon, statusKind } from '../../ui/status';
import { firstLine } from '../../ui/text';
import {
  FOLD_ABOVE,
  LARGE,
  type Graph as Layout,
  layOut,
  NODE_HEIGHT,
  NODE_WIDTH,
  progressOf,
  waitsFor,
} from './layout';

interface Props {
  taskId: string;
  /** The steps that were finished when it was opened. */
  finished: ReadonlySet<string>;
  selected: string | null;
  onSelect: (stepId: string | null) => void;
}

type StepNodeData = { taskId: string; stepId: string; isSelected: boolean };
type BranchNodeData = { count: number };

// Where lines begin and end is said here: else each node would be measured once it is drawn.
const HANDLE = { x: NODE_WIDTH / 2, width: 1, height: 1 };
const SIZE = {
  width: NODE_WIDTH,
  height: NODE_HEIGHT,
  measured: { width: NODE_WIDTH, height: NODE_HEIGHT },
  handles: [
    { ...HANDLE, type: 'target' as const, position: Position.Top, y: 0 },
    { ...HANDLE, type: 'source' as const, position: Position.Bottom, y: NODE_HEIGHT },
  ],
};
const CALM_MS = 3_000;
const NONE: ReadonlySet<string> = new Set();
const TYPES = { step: memo(StepNode), branch: memo(BranchNode) };

export default function Graph({ taskId, finished, selected, onSelect }: Props): ReactNode {
  const [showAll, setShowAll] = useState(false);
  const plan = useLive(taskId, planOf);
  const done = useCalm(taskId, finished);
  const graph = useMemo(() => layOut(plan?.steps ?? [], showAll ? NONE : done), [plan, showAll, done]);
  // A text: the lines are drawn again when it changes, not with every event.
  const kinds = useLive(
    taskId,
    useCallback(
      (state: TaskState) => graph.edges.map((edge) => state.steps.get(edge.fromStep)?.status ?? 'none').join(),
      [graph],
    ),
  );
  const nodes = useMemo(
    () =>
      graph.nodes.map((node): Node => {
        const common = { id: node.id, position: { x: node.x, y: node.y }, ...SIZE };
        const [stepId] = node.stepIds;
        return node.stepIds.length === 1 && stepId
          ? {
              ...common,
              type: 'step',
              data: { taskId, stepId, isSelected: stepId === selected },
              ariaLabel: `Step ${stepId}`,
            }
          : { ...common, type: 'branch', data: { count: node.stepIds.length } };
      }),
    [graph, selected, taskId],
  );
  const edges = useEdges(graph, kinds);
  const onNodeClick = useCallback(
    (_: unknown, node: Node) => {
      if (node.type === 'branch') setShowAll(true);
      else onSelect(node.id);
    },
    [onSelect],
  );
  return (
    <div
      className={`graph${nodes.length > LARGE ? ' large' : ''}`}
      role="group"
      aria-label="Graph of the plan; the list view says the same in words"
    >
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        onNodeClick={onNodeClick}
        onPaneClick={() => onSelect(null)}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        fitView
        fitViewOptions={{ padding: 0.12, maxZoom: 1 }}
        minZoom={0.1}
        maxZoom={1.5}
        onlyRenderVisibleElements={nodes.length > LARGE}
        proOptions={{ hideAttribution: true }}
        key={`${plan?.revision} ${graph.nodes.length}`}
      >
        <Background variant={BackgroundVariant.Dots} gap={22} size={1} color="var(--af-line)" />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

/** Returns the steps that are finished, as of when it last was calm: a large graph is not laid out anew all the time. */
function useCalm(taskId: string, atFirst: ReadonlySet<string>): ReadonlySet<string> {
  const [done, setDone] = useState(atFirst);
  const count = useLive(taskId, finishedOf);
  useEffect(() => {
    const { steps } = storeOf(taskId).state;
    if (steps.size <= FOLD_ABOVE || count === done.size) return;
    const timer = setTimeout(() => {
      const ended = [...storeOf(taskId).state.steps.values()].filter((step) => step.status === 'completed');
      setDone(new Set(ended.map((step) => step.planned.id)));
    }, CALM_MS);
    return () => clearTimeout(timer);
  }, [taskId, count, done]);
  return done;
}

function finishedOf(state: TaskState): number {
  return progressOf(state.steps).completed;
}

/** A line is another object only when it looks different: the others are not drawn again. */
function useEdges(graph: Layout, kinds: string): Edge[] {
  const drawn = useRef(new Map<string, Edge>());
  return useMemo(() => {
    const kindOf = kinds.split(',');
    const edges = graph.edges.map(({ id, from, to }, place): Edge => {
      const className = `edge-${kindOf[place]}`;
      const before = drawn.current.get(id);
      return before?.className === className ? before : { id, source: from, target: to, className, focusable: false };
    });
    drawn.current = new Map(edges.map((edge) => [edge.id, edge]));
    return edges;
  }, [graph, kinds]);
}

function planOf(state: TaskState): TaskState['plan'] {
  return state.plan;
}

function StepNode({ data }: NodeProps): ReactNode {
  const { taskId, stepId, isSelected } = data as StepNodeData;
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
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className="node-title">{firstLine(step.planned.instruction, 120)}</div>
      <div className="node-foot">
        <StatusIcon status={step.status} size={13} />
        <span className="node-status">{waits ?? words(step.status)}</span>
        <span className="node-agent truncate">{firstLine(step.agentName ?? step.planned.skill ?? '', 60)}</span>
      </div>
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

function BranchNode({ data }: NodeProps): ReactNode {
  return (
    <div className="node st-completed branch">
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className="node-title">{(data as BranchNodeData).count} completed steps</div>
      <div className="node-foot">
        <StatusIcon status="completed" size={13} />
        <span className="node-status">show them</span>
      </div>
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}
