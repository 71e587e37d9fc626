// Pure: where the nodes of a plan's graph stand, and which finished branches are drawn as one.
import dagre from '@dagrejs/dagre';
import type { LiveStep } from '../../live/fold';

export const NODE_WIDTH = 236;
export const NODE_HEIGHT = 82;
const FOLD_ABOVE = 40;

export interface GraphNode {
  id: string;
  x: number;
  y: number;
  /** The steps that this node stands for: one, or a finished branch. */
  stepIds: readonly string[];
}

export interface GraphEdge {
  id: string;
  from: string;
  to: string;
  /** The step whose end the line waits for; of a branch, any. */
  fromStep: string;
}

export interface Graph {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
}

/** What the layout depends on: not on texts or progress, so a graph stays where it is while its steps run. */
export function shapeOf(steps: ReadonlyMap<string, LiveStep>, showAll: boolean): string {
  const folded = groups(steps, showAll);
  return JSON.stringify(
    [...steps.values()].map((step) => [step.planned.id, step.planned.depends_on, folded.get(step.planned.id)]),
  );
}

export function layOut(steps: ReadonlyMap<string, LiveStep>, showAll: boolean): Graph {
  const group = groups(steps, showAll);
  const nodeOf = (stepId: string): string => group.get(stepId) ?? stepId;
  const members = new Map<string, string[]>();
  for (const id of steps.keys()) {
    const node = nodeOf(id);
    members.set(node, [...(members.get(node) ?? []), id]);
  }
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 44 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of members.keys()) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const edges = new Map<string, GraphEdge>();
  for (const step of steps.values()) {
    for (const before of step.planned.depends_on) {
      const [from, to] = [nodeOf(before), nodeOf(step.planned.id)];
      if (!steps.has(before) || from === to) continue;
      const id = `${from}→${to}`;
      edges.set(id, { id, from, to, fromStep: before });
      graph.setEdge(from, to);
    }
  }
  dagre.layout(graph);
  return {
    nodes: [...members].map(([id, stepIds]) => {
      const place = graph.node(id) as { x: number; y: number };
      return { id, stepIds, x: place.x - NODE_WIDTH / 2, y: place.y - NODE_HEIGHT / 2 };
    }),
    edges: [...edges.values()],
  };
}

/** In a large plan, completed steps that only completed steps need are drawn as one node for each connected part. */
function groups(steps: ReadonlyMap<string, LiveStep>, showAll: boolean): Map<string, string> {
  const found = new Map<string, string>();
  if (showAll || steps.size <= FOLD_ABOVE) return found;
  const needed = new Map<string, string[]>();
  for (const step of steps.values()) {
    for (const before of step.planned.depends_on) needed.set(before, [...(needed.get(before) ?? []), step.planned.id]);
  }
  const isDone = (id: string): boolean => steps.get(id)?.status === 'completed';
  const inner = new Set(
    [...steps.keys()].filter((id) => isDone(id) && (needed.get(id) ?? []).length > 0 && needed.get(id)?.every(isDone)),
  );
  for (const id of inner) {
    if (found.has(id)) continue;
    const branch = [id];
    const seen = new Set(branch);
    for (let next = 0; next < branch.length; next += 1) {
      const at = branch[next] as string;
      const around = [...(steps.get(at)?.planned.depends_on ?? []), ...(needed.get(at) ?? [])];
      for (const other of around) {
        if (inner.has(other) && !seen.has(other)) {
          seen.add(other);
          branch.push(other);
        }
      }
    }
    if (branch.length > 2) for (const member of branch) found.set(member, `branch:${branch[0]}`);
  }
  return found;
}

/** What a step waits for: "waits for 2 of 3". Null if it does not wait for others. */
export function waitsFor(step: LiveStep, steps: ReadonlyMap<string, LiveStep>): string | null {
  if (step.status !== 'pending') return null;
  const before = step.planned.depends_on.filter((id) => steps.has(id));
  const open = before.filter((id) => steps.get(id)?.status !== 'completed');
  return open.length === 0 ? null : `waits for ${open.length} of ${before.length}`;
}

export interface Progress {
  completed: number;
  failed: number;
  total: number;
}

export function progressOf(steps: ReadonlyMap<string, LiveStep>): Progress {
  let completed = 0;
  let failed = 0;
  for (const { status } of steps.values()) {
    if (status === 'completed') completed += 1;
    if (status === 'failed') failed += 1;
  }
  return { completed, failed, total: steps.size };
}
