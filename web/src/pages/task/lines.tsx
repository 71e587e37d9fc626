// The lines of the graph, as one drawing: what is finished is drawn in its colour.
import { ViewportPortal } from '@xyflow/react';
import { type ReactNode, useCallback, useMemo } from 'react';
import type { TaskState } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { type Graph, NODE_HEIGHT, NODE_WIDTH } from './shape';

export function Lines({ taskId, graph }: { taskId: string; graph: Graph }): ReactNode {
  // A text: the lines are drawn again when it changes, not with every event.
  const statuses = useLive(
    taskId,
    useCallback(
      (state: TaskState) => graph.edges.map((edge) => state.steps.get(edge.fromStep)?.status ?? 'none').join(),
      [graph],
    ),
  ).split(',');
  const paths = useMemo(() => pathsOf(graph), [graph]);
  return (
    <ViewportPortal>
      <svg className="lines" width="1" height="1" aria-hidden="true">
        {graph.edges.map((edge, place) => (
          <path key={edge.id} d={paths[place]} className={`edge-${statuses[place]}`} />
        ))}
      </svg>
    </ViewportPortal>
  );
}

/** From the middle below a node to the middle above the next; upright where it passes between other nodes. */
function pathsOf({ nodes, edges }: Graph): string[] {
  const places = new Map(nodes.map((node) => [node.id, node]));
  return edges.map(({ from, to, via }) => {
    const [above, below] = [places.get(from), places.get(to)];
    if (!above || !below) return '';
    let [x, y] = [above.x + NODE_WIDTH / 2, above.y + NODE_HEIGHT];
    let path = `M${x} ${y}`;
    const bend = (nextX: number, nextY: number): void => {
      const middle = (y + nextY) / 2;
      path += `C${x} ${middle} ${nextX} ${middle} ${nextX} ${nextY}`;
      [x, y] = [nextX, nextY];
    };
    for (const gap of via) {
      bend(gap.x, gap.y - NODE_HEIGHT / 2);
      y += NODE_HEIGHT;
      path += `V${y}`;
    }
    bend(below.x + NODE_WIDTH / 2, below.y);
    return path;
  });
}
