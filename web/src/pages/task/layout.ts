// Pure: where the nodes of a plan's graph stand, and which finished branches are drawn as one.
import dagre from '@dagrejs/dagre';
import type { PlannedStep } from '../../api/types';
import type { LiveStep } from '../../live/fold';

export const NODE_WIDTH = 236;
export const NODE_HEIGHT = 82;
export const LARGE = 60;
export const FOLD_ABOVE = 40;

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

/** `done`: the steps that count as finished; what is finished later stays where it is, so that nothing jumps. */
export function layOut(steps: readonly PlannedStep[], done: ReadonlySet<string>): Graph {
  const group = groups(steps, done);
  const known = new Set(steps.map((step) => step.id));
  const nodeOf = (stepId: string): string => group.get(stepId) ?? stepId;
  const members = new Map<string, string[]>();
  for (const { id } of steps) members.set(nodeOf(id), [...(members.get(nodeOf(id)) ?? []), id]);
  const graph = new dagre.graphlib.Graph();
  // The usual way to find rows takes twice as long, and in a large plan nobody sees the difference.
  const ranker = members.size > LARGE ? 'tight-tree' : 'network-simplex';
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 44, ranker });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of members.keys()) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const edges = new Map<string, GraphEdge>();
  for (const step of steps) {
    for (const before of step.depends_on) {
      const [from, to] = [nodeOf(before), nodeOf(step.id)];
      if (!known.has(before) || from === to) continue;
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

/** In a large plan, finished steps that only finished steps need are drawn as one node for each connected part. */
function groups(steps: readonly PlannedStep[], done: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  if (steps.length <= FOLD_ABOVE || done.size === 0) return found;
  const needs = new Map(steps.map((step) => [step.id, step.depends_on]));
  const needed = new Map<string, string[]>();
  for (const step of steps) {
    for (const before of step.depends_on) needed.set(before, [...(needed.get(before) ?? []), step.id]);
  }
  const inner = new Set(
    steps
      .map((step) => step.id)
      .filter((id) => done.has(id) && needed.has(id) && needed.get(id)?.every((each) => done.has(each))),
  );
  for (const id of inner) {
    if (found.has(id)) continue;
    const branch = [id];
    const seen = new Set(branch);
    for (let next = 0; next < branch.length; next += 1) {
      const at = branch[next] as string;
      for (const other of [...(needs.get(at) ?? []), ...(needed.get(at) ?? [])]) {
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

/** The step and all that need it, directly or not. */
export function dependents(steps: readonly { id: string; depends_on: string[] }[], from: string): Set<string> {
  const found = new Set([from]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const step of steps) {
      if (!found.has(step.id) && step.depends_on.some((id) => found.has(id))) {
        found.add(step.id);
        grew = true;
      }
    }
  }
  return found;
}
