// Pure: where the nodes of a plan's graph stand, and which finished branches are drawn as one.
import dagre from '@dagrejs/dagre';
import { FOLD_ABOVE, type Graph, type GraphEdge, LARGE, NODE_HEIGHT, NODE_WIDTH, type Wish } from './shape';

export function layOut({ steps, done }: Wish): Graph {
  const group = groups({ steps, done });
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
  const edges = new Map<string, Omit<GraphEdge, 'via'>>();
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
    edges: [...edges.values()].map((edge) => ({ ...edge, via: passages(graph.edge(edge.from, edge.to).points) })),
  };
}

/** Of a line's points (its start, then a gap and a row in turn, at last a gap and its end) those in rows. */
function passages(points: readonly { x: number; y: number }[]): GraphEdge['via'] {
  return points.slice(2, -2).filter((_, place) => place % 2 === 0);
}

/** In a large plan, finished steps that only finished steps need are drawn as one node for each connected part. */
function groups({ steps, done }: Wish): Map<string, string> {
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
