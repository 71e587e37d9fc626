// Vega measures texts with a canvas, which it asks a document for. A worker has no document, but it has canvases.
const canvases = { createElement: () => new OffscreenCanvas(1, 1) };

Object.assign(globalThis, { document: canvases });
