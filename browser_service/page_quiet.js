// Runs in the page. Resolves with true as soon as nothing is pending that could change it: it has loaded, and no timer is
// due, no frame is asked for, and nothing has changed while it drew two frames and was idle. Where that cannot be known,
// resolves with false when it has loaded and nothing has changed for `quietMs`; at the latest after `atMostMs`.
// `hasArrived`: nothing was done to it since it came. `isClosed`: nothing beside this document can change it.
([quietMs, atMostMs, hasArrived, isClosed]) => new Promise((resolve) => {
  let pending = null;  // of page_pending.js
  try {
    dispatchEvent(new CustomEvent('federation-pending', { detail: (told) => { pending = told; } }));
  } catch { /* the page has other functions of that name: it is waited for as one of which nothing is known */ }
  const { setTimeout, clearTimeout, requestAnimationFrame, requestIdleCallback, MutationObserver } = pending?.own ?? window;
  let timer, changes = 0, isOver = false;
  const observer = new MutationObserver(() => { changes += 1; wait(); });
  const end = (isSure) => {
    isOver = true;
    observer.disconnect();
    clearTimeout(timer);
    clearTimeout(limit);
    resolve(isSure);
  };
  const wait = () => { clearTimeout(timer); timer = setTimeout(() => end(false), quietMs); };
  const limit = setTimeout(() => end(false), atMostMs);
  const onceLoaded = (go) => {
    if (document.readyState === 'complete') go(); else addEventListener('load', go, { once: true, capture: true });
  };
  const lasting = 'iframe, frame, object, embed, video, audio, meta[http-equiv="refresh" i]';
  const look = () => {
    if (isOver || pending.isOpen || document.querySelector(lasting) || document.getAnimations().length > 0) return;
    const begun = pending.begun, changed = changes;
    const judge = () => {
      if (isOver) return;
      if (pending.begun === begun && changes === changed && !pending.isOpen) end(true); else look();
    };
    const draw = () => requestAnimationFrame(() => requestAnimationFrame(() => requestIdleCallback(judge)));
    const withinMs = pending.within(quietMs);
    if (withinMs > 0) setTimeout(draw, withinMs); else draw();
  };
  if (hasArrived && !pending?.begun && !document.querySelector(`script, [onload], [onerror], ${lasting}`)) {
    onceLoaded(() => end(true));
    return;
  }
  onceLoaded(() => {  // counted from here: a timer that is known to be due within `quietMs` comes before that is over
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    wait();
    if (hasArrived && isClosed && pending) look();
  });
})
