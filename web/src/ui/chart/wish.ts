// What passes between a page and the worker that draws a chart.

/** The chart as it came, the colours of the page, and how much room there is, in pixels. */
export interface Wish {
  spec: unknown;
  config: object;
  width: number;
}

export type Drawing = { svg: string } | { error: string };
