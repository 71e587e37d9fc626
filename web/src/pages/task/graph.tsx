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
import { memo, type ReactNode, useCallback, useMemo, useState } from 'react';
import { type TaskState, words } from '../../live/fold';
import { storeOf, useLive } from '../../live/task-store';
import { StatusIcon, statusKind } from '../../ui/status';
import { firstLine } from '../../ui/text';
import { layOut, NODE_HEIGHT, NODE_WIDTH, shapeOf, waitsFor } from './layout';

interface Props {
  taskId: string;
  selected: string | null;
  onSelect: (stepId: string | null) => void;
}

type StepNodeData = { taskId: string; stepId: string; isSelected: boolean };
type BranchNodeData = { count: number };

const TYPES = { step: memo(StepNode), branch: memo(BranchNode) };

export default function Graph({ taskId, selected, onSelect }: Props): ReactNode {
  const [showAll, setShowAll] = useState(false);
  // Both are texts: the graph is drawn again when they change, not with every event.
  const shape = useLive(
    taskId,
    useCallback((state: TaskState) => shapeOf(state.steps, showAll), [showAll]),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: the layout depends on the shape alone
  const graph = useMemo(() => layOut(storeOf(taskId).state.steps, showAll), [taskId, shape, showAll]);
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
        const common = { id: node.id, position: { x: node.x, y: node.y }, width: NODE_WIDTH, height: NODE_HEIGHT };
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
  const edges = useMemo(() => {
    const kindOf = kinds.split(',');
    return graph.edges.map(
      (edge, place): Edge => ({
        id: edge.id,
        source: edge.from,
        target: edge.to,
        className: `edge-${kindOf[place]}`,
        focusable: false,
      }),
    );
  }, [graph, kinds]);
  const onNodeClick = useCallback(
    (_: unknown, node: Node) => {
      if (node.type === 'branch') setShowAll(true);
      else onSelect(node.id);
    },
    [onSelect],
  );
  return (
    <div className="graph" role="group" aria-label="Graph of the plan; the list view says the same in words">
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
        onlyRenderVisibleElements={nodes.length > 60}
        proOptions={{ hideAttribution: true }}
        key={shape}
      >
        <Background variant={BackgroundVariant.Dots} gap={22} size={1} color="var(--af-line)" />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
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
