// Draws a Vega-Lite chart as SVG, away from the page: nothing is loaded, nothing is evaluated as code, and whoever began
// it can end it at any time.
import './canvas';
import { type Loader, parse, View } from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Drawing, Wish } from './wish';

const MOST_GENERATED = 100_000;

const refuse = (): Promise<never> => Promise.reject(new Error('Nothing is loaded from elsewhere.'));
const NO_LOADER = { load: refuse, sanitize: refuse, http: refuse, file: refuse } as unknown as Loader;

const quiet = {
  level: () => quiet,
  error: (...words: readonly unknown[]) => {
    throw new Error(words.join(' '));
  },
  warn: () => quiet,
  info: () => quiet,
  debug: () => quiet,
};

addEventListener('message', ({ data }: MessageEvent<Wish>) => {
  draw(data).then(
    (svg) => postMessage({ svg } satisfies Drawing),
    (error: unknown) =>
      postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Drawing),
  );
});

async function draw({ spec, config, width }: Wish): Promise<string> {
  check(spec);
  const sized = { ...(spec as object), ...fitted(spec as Record<string, unknown>, width) } as TopLevelSpec;
  const { spec: compiled } = compile(sized, { config, logger: quiet as never });
  const view = new View(parse(compiled, undefined, { ast: true }), {
    expr: expressionInterpreter,
    loader: NO_LOADER,
    logger: quiet as never,
    renderer: 'none',
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** A chart of one view is as wide as there is room, unless it says how wide it is. White, Vega-Lite's own default, is the page's colour. */
function fitted(spec: Record<string, unknown>, width: number): object {
  const isOneView = 'mark' in spec || 'layer' in spec;
  return {
    ...(/^(white|#fff|#ffffff)$/i.test(String(spec.background)) && { background: 'transparent' }),
    ...(isOneView && (spec.width === undefined || spec.width === 'container') && { width }),
    ...(spec.height === 'container' && { height: Math.round(width / 2) }),
    autosize: { type: isOneView ? 'fit-x' : 'pad', contains: 'padding' },
  };
}

/** Refuses what has to be loaded, and what a few words make endlessly much of. */
function check(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    if (name === 'data' && typeof part === 'object' && part !== null && 'url' in part) {
      throw new Error('A chart loads nothing from elsewhere: its rows have to be in it.');
    }
    if (name === 'sequence' && typeof part === 'object' && part !== null) {
      const { start = 0, stop, step = 1 } = part as { start?: number; stop: number; step?: number };
      if (!(Math.abs((stop - start) / step) <= MOST_GENERATED)) throw new Error('It makes up too many rows.');
    }
    check(part);
  }
}
