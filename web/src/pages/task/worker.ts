// Lays out the graph of a plan, away from the page: 200 steps take longer than a frame.
import { layOut } from './layout';
import type { Wish } from './shape';

addEventListener('message', ({ data }: MessageEvent<Wish>) => postMessage(layOut(data)));
