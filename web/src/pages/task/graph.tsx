// The plan as a live graph, from top to bottom. A worker lays it out; a large one is drawn over several frames.
import '@xyflow/react/dist/base.css';
import './graph.css';
import {
  Background,
  BackgroundVariant,
  Controls,
  getNodesBounds,
  getViewportForBounds,
  type Node,
  ReactFlow,
  type Viewport,
} from '@xyflow/react';
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { TaskState } from '../../live/fold';
import { storeOf, useLive } from '../../live/task-store';
import { useShare } from '../../ui/share';
import { Lines } from './lines';
import { nodeOf, TYPES } from './nodes';
import { progressOf } from './progress';
import { FOLD_ABOVE, LARGE, type Graph as Laid, type Wish } from './shape';

interface Props {
  taskId: string;
  /** The steps that were finished when it was opened. */
  finished: ReadonlySet<string>;
  selected: string | null;
  onSelect: (stepId: string | null) => void;
}

const CALM_MS = 3_000;
const AT_ONCE = 40;
const MIN_ZOOM = 0.1;
// The smallest at which the words of a node can be read.
const READABLE_ZOOM = 0.7;
const MARGIN = 16;
// Below are the buttons.
const ROOM = { x: 0.06, top: 0.08, bottom: '56px' } as const;
const NO_STEPS: Wish['steps'] = [];
const NONE: ReadonlySet<string> = new Set();
const WORDS = { 'node.a11yDescription.default': 'Press Enter to open it.' };

export default function Graph({ taskId, finished, selected, onSelect }: Props): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [showAll, setShowAll] = useState(false);
  const plan = useLive(taskId, planOf);
  const done = useCalm(taskId, finished);
  const graph = useLayout(plan?.steps ?? NO_STEPS, showAll ? NONE : done);
  const open = useCallback(
    (node: Pick<Node, 'id' | 'type'>) => {
      if (node.type === 'branch') setShowAll(true);
      else onSelect(node.id);
    },
    [onSelect],
  );
  return (
    <div
      ref={box}
      className={`graph${graph && graph.nodes.length > LARGE ? ' large' : ''}`}
      role="group"
      aria-label="Graph of the plan; the list view says the same in words"
    >
      {graph && (
        <Drawing
          key={graph.nodes.map((node) => node.id).join()}
          taskId={taskId}
          graph={graph}
          selected={selected}
          width={box.current?.clientWidth ?? 0}
          height={box.current?.clientHeight ?? 0}
          open={open}
          close={() => onSelect(null)}
        />
      )}
    </div>
  );
}

interface DrawingProps {
  taskId: string;
  graph: Laid;
  selected: string | null;
  width: number;
  height: number;
  open: (node: Pick<Node, 'id' | 'type'>) => void;
  close: () => void;
}

function Drawing({ taskId, graph, selected, width, height, open, close }: DrawingProps): ReactNode {
  const all = useMemo(() => graph.nodes.map((node) => nodeOf(node, taskId, selected)), [graph, taskId, selected]);
  const nodes = useShare(all, AT_ONCE);
  const [viewport] = useState(() => begin(all, width, height));
  const onKeyDown = (event: KeyboardEvent): void => {
    const id = (event.target as HTMLElement).dataset.id;
    const node = all.find((each) => each.id === id);
    if (!node || (event.key !== 'Enter' && event.key !== ' ')) return;
    event.preventDefault();
    open(node);
  };
  return (
    <ReactFlow
      nodes={nodes}
      nodeTypes={TYPES}
      onNodeClick={(_, node) => open(node)}
      onPaneClick={close}
      onKeyDown={onKeyDown}
      nodesDraggable={false}
      nodesConnectable={false}
      elementsSelectable={false}
      defaultViewport={viewport}
      minZoom={MIN_ZOOM}
      maxZoom={1.5}
      ariaLabelConfig={WORDS}
      proOptions={{ hideAttribution: true }}
    >
      <Lines taskId={taskId} graph={graph} />
      <Background variant={BackgroundVariant.Dots} gap={22} size={1} color="var(--af-line)" />
      <Controls showInteractive={false} orientation="horizontal" fitViewOptions={{ padding: ROOM, maxZoom: 1 }} />
    </ReactFlow>
  );
}

/** What is seen at first: all of it; the beginning, where all of it would be too small to read; of a large graph all. */
function begin(nodes: Node[], width: number, height: number): Viewport {
  const bounds = getNodesBounds(nodes);
  const whole = getViewportForBounds(bounds, width, height, MIN_ZOOM, 1, ROOM);
  if (nodes.length > LARGE || whole.zoom >= READABLE_ZOOM) return whole;
  const row = getNodesBounds(nodes.filter((node) => node.position.y === bounds.y));
  const space = Math.max(width - row.width * READABLE_ZOOM, 2 * MARGIN);
  return { x: space / 2 - row.x * READABLE_ZOOM, y: MARGIN - bounds.y * READABLE_ZOOM, zoom: READABLE_ZOOM };
}

/** Returns the graph as soon as a worker laid it out; until then the one before. */
function useLayout(steps: Wish['steps'], done: ReadonlySet<string>): Laid | null {
  const [graph, setGraph] = useState<Laid | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  useEffect(() => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<Laid>) => {
      setGraph(data);
      worker.terminate();
    };
    worker.onerror = (event) => setProblem(new Error(event.message || 'What lays it out did not start.'));
    worker.postMessage({ steps: steps.map(({ id, depends_on }) => ({ id, depends_on })), done } satisfies Wish);
    return () => worker.terminate();
  }, [steps, done]);
  if (problem) throw problem;
  return graph;
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

function planOf(state: TaskState): TaskState['plan'] {
  return state.plan;
}
