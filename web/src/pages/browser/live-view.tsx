// The page as the browser sees it now. Whoever takes over has its mouse and keys until they hand it back.
import { Button, Group } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type KeyboardEvent, type PointerEvent, type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { browserSessionQuery, handBack, sessionUrl, takeOver } from '../../api/browser';
import { toProblem } from '../../api/client';
import { queryClient } from '../../api/query';
import type { BrowserSession } from '../../api/types';
import { draftOf, keepDraft, useDraft } from '../../ui/drafts';
import { Problem } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import classes from './browser.module.css';

const PAUSE_MS = 1000;
const BUTTONS = ['left', 'middle', 'right'] as const;

export function LiveView({ session }: { session: BrowserSession }): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const socket = useRef<WebSocket | null>(null);
  const [state, setState] = useState<'connecting' | 'live' | 'lost'>('connecting');
  // Kept for this tab: who looks elsewhere or loads the page again still has the browser, and can hand it back.
  const control = `control of ${session.id}`;
  const token = useDraft<string>(control) ?? null;
  const send = useCallback((message: object) => {
    if (socket.current?.readyState === WebSocket.OPEN) socket.current.send(JSON.stringify(message));
  }, []);
  const show = useCallback((given: string | undefined) => given && send({ type: 'control', token: given }), [send]);
  const take = useMutation({
    mutationFn: () => takeOver(session.id),
    onSuccess: (given) => {
      keepDraft(control, given);
      show(given);
      canvas.current?.focus();
    },
  });
  const give = useMutation({
    mutationFn: () => handBack(session.id, token ?? ''),
    onSuccess: () => keepDraft(control, undefined),
    onError: (error) => {
      const { status } = toProblem(error);
      if (status >= 400 && status < 500) keepDraft(control, undefined);
    },
  });

  useEffect(() => {
    let closed = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const open = (): void => {
      const url = new URL(sessionUrl(session.id, '/live'), window.location.href);
      url.protocol = url.protocol.replace('http', 'ws');
      const opened = new WebSocket(url);
      opened.binaryType = 'blob';
      socket.current = opened;
      opened.onopen = () => show(draftOf<string>(control));
      opened.onmessage = (message) => {
        if (message.data instanceof Blob) {
          void draw(canvas.current, message.data).finally(() => {
            setState('live');
            if (opened.readyState === WebSocket.OPEN) opened.send('{"type":"ack"}');
          });
          return;
        }
        const said = JSON.parse(message.data as string) as { type: string; session?: Partial<BrowserSession> };
        if (said.type === 'session' && said.session) {
          const news = said.session;
          queryClient.setQueryData(
            browserSessionQuery(session.id).queryKey,
            (before) => before && { ...before, ...news },
          );
        } else if (said.type === 'closed') {
          closed = true;
          keepDraft(control, undefined);
          void queryClient.invalidateQueries({ queryKey: ['browser'] });
        }
      };
      opened.onclose = () => {
        if (closed) return;
        setState('lost');
        timer = setTimeout(open, PAUSE_MS);
      };
    };
    open();
    return () => {
      closed = true;
      clearTimeout(timer);
      socket.current?.close();
    };
  }, [session.id, control, show]);

  const mouse = (action: 'move' | 'down' | 'up') => (event: PointerEvent<HTMLCanvasElement>) => {
    if (token === null) return;
    send({ type: 'mouse', action, ...placeOf(event, session), button: BUTTONS[event.button] ?? 'left' });
  };
  const key = (action: 'down' | 'up') => (event: KeyboardEvent) => {
    // Tab leaves the picture: else nobody without a mouse could hand the browser back.
    if (token === null || event.key === 'Tab') return;
    event.preventDefault();
    send({ type: 'key', action, key: event.key });
  };
  return (
    <>
      <div className={classes.screenFrame}>
        <canvas
          ref={canvas}
          className={`${classes.screen} ${token === null ? '' : classes.held}`}
          width={session.viewport.width}
          height={session.viewport.height}
          tabIndex={token === null ? -1 : 0}
          role="img"
          aria-label="The page as the browser sees it now"
          onPointerDown={mouse('down')}
          onPointerUp={mouse('up')}
          onPointerMove={mouse('move')}
          onContextMenu={(event) => token !== null && event.preventDefault()}
          onWheel={(event) => {
            if (token === null) return;
            const place = placeOf(event, session);
            send({ type: 'mouse', action: 'wheel', ...place, delta_x: event.deltaX, delta_y: event.deltaY });
          }}
          onKeyDown={key('down')}
          onKeyUp={key('up')}
        />
        {state !== 'live' && (
          <div className={classes.veil} role="status">
            {state === 'lost' ? 'The picture is lost; trying again …' : 'Waiting for the picture …'}
          </div>
        )}
      </div>
      {(take.error ?? give.error) && <Problem error={take.error ?? give.error} />}
      <Group gap="sm" mt="sm">
        {token === null ? (
          <Button
            variant="default"
            leftSection={<Icon name="hand" size={15} />}
            loading={take.isPending}
            disabled={session.held}
            onClick={() => take.mutate()}
          >
            Take over
          </Button>
        ) : (
          <Button loading={give.isPending} onClick={() => give.mutate()}>
            Hand back
          </Button>
        )}
        <span className="dim small">
          {token !== null && 'You have the mouse and the keys; the task waits.'}
          {token === null && session.held && 'Someone has taken over.'}
        </span>
      </Group>
    </>
  );
}

async function draw(canvas: HTMLCanvasElement | null, frame: Blob): Promise<void> {
  const image = await createImageBitmap(frame);
  canvas?.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
}

/** Where the pointer is, in pixels of the page that is shown. */
function placeOf(
  event: { clientX: number; clientY: number; currentTarget: HTMLElement },
  session: BrowserSession,
): { x: number; y: number } {
  const box = event.currentTarget.getBoundingClientRect();
  return {
    x: Math.round(((event.clientX - box.left) / box.width) * session.viewport.width),
    y: Math.round(((event.clientY - box.top) / box.height) * session.viewport.height),
  };
}
