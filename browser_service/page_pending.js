// Runs in each document before the page's own scripts, and notes what they set to happen later; page_quiet.js asks for it
// by the event below. It holds nothing back: behind each proxy the browser's function is called as it would have been.
// Pages may put functions of their own in front of these; what comes down to the browser in the end is noted.
(() => {
  if (window !== window.top) return;
  const MAX_LATER = 100, SHORT_MS = 250;
  const own = { setTimeout, clearTimeout, requestAnimationFrame, requestIdleCallback, MutationObserver };
  const { apply, construct } = Reflect, now = performance.now.bind(performance);
  const later = { __proto__: null };  // when longer timers are due; no array, because a page may change what arrays do
  let soon = 0, kept = 0;  // when the last short timer is due; how many longer ones there are
  const pending = {
    own,
    begun: 0,  // how many things were set to happen later
    isOpen: false,  // whether something was used of which nobody here knows when it ends
    within(quietMs) {  // in how many ms the last timer comes that is due within `quietMs`; 0 when none is
      const time = now();
      let last = soon > time ? soon : time;
      for (let i = 0; i < kept; i++) if (later[i] > last && later[i] <= time + quietMs) last = later[i];
      return last - time;
    },
  };
  const open = () => { pending.isOpen = true; };
  const noteTimer = (_, delay) => {
    if (typeof delay === 'object' || typeof delay === 'function') return open();  // turning it into a number runs the page
    const delayMs = +delay > 0 ? +delay : 0, due = now() + delayMs;
    if (delayMs > SHORT_MS && kept >= MAX_LATER) open();
    else if (delayMs > SHORT_MS) later[kept++] = due;
    else if (due > soon) soon = due;
  };
  const watch = (owner, name, note) => {
    const found = owner && Object.getOwnPropertyDescriptor(owner, name);
    if (typeof found?.value !== 'function' || !found.writable) return;
    const tell = (args) => { pending.begun += 1; try { note(args[0], args[1]); } catch { open(); } };
    const proxy = new Proxy(found.value, {
      __proto__: null,
      apply(target, self, args) { tell(args); return apply(target, self, args); },
      construct(target, args, made) { tell(args); return construct(target, args, made); },
    });
    const type = found.value.prototype;
    if (type?.constructor === found.value) Object.defineProperty(type, 'constructor', { value: proxy });
    owner[name] = proxy;
  };
  watch(window, 'setTimeout', noteTimer);
  for (const name of ['requestAnimationFrame', 'webkitRequestAnimationFrame', 'requestIdleCallback']) {
    watch(window, name, () => {});
  }
  for (const name of ['setInterval', 'createImageBitmap', 'open', 'Worker', 'SharedWorker', 'WebSocket', 'EventSource']) {
    watch(window, name, open);
  }
  for (const type of ['Scheduler', 'IDBFactory', 'CacheStorage', 'Cache', 'SubtleCrypto', 'FileReader', 'Blob', 'LockManager',
    'StorageManager', 'Permissions', 'Geolocation', 'MediaDevices', 'CredentialsContainer', 'CookieStore', 'Clipboard']) {
    const methods = window[type]?.prototype;
    for (const name of methods ? Object.getOwnPropertyNames(methods) : []) {
      if (name !== 'constructor') watch(methods, name, open);
    }
  }
  for (const [owner, ...names] of [
    [WebAssembly, 'compile', 'instantiate', 'compileStreaming', 'instantiateStreaming'], [Atomics, 'waitAsync'],
    [AbortSignal, 'timeout'], [Document.prototype, 'startViewTransition'], [HTMLCanvasElement.prototype, 'toBlob'],
    [HTMLImageElement.prototype, 'decode'], [HTMLMediaElement.prototype, 'play', 'load'],
  ]) for (const name of names) watch(owner, name, open);
  window.navigation?.addEventListener('navigate', (event) => { if (!event.destination.sameDocument) open(); });
  addEventListener('federation-pending', (event) => event.detail(pending));
})();
