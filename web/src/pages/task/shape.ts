// What passes between a page and the worker that lays out its graph; lengths are in pixels.
import type { PlannedStep } from '../../api/types';

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
  /** Where the line goes down between the nodes of each row that it passes: the middle of the row. */
  via: readonly { x: number; y: number }[];
}

export interface Graph {
  nodes: readonly GraphNode[];
  edges: readonly GraphEdge[];
}

/** What is laid out. `done`: the steps that count as finished; what is finished later stays where it is, so nothing jumps. */
export interface Wish {
  steps: readonly Pick<PlannedStep, 'id' | 'depends_on'>[];
  done: ReadonlySet<string>;
}
