// Every event as it came, in a list that draws only what is seen.
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { TaskEvent } from '../../api/types';
import { isOver, type TaskState } from '../../live/fold';
import { useLive } from '../../live/task-store';
import { CopyButton } from '../../ui/copy';
import { plain } from '../../ui/text';
import classes from './task.module.css';

const ROW = 26;
const NEAR_END = 4;

export function RawLog({ taskId }: { taskId: string }): ReactNode {
  const events = useLive(taskId, rawOf);
  const over = useLive(taskId, overOf);
  const box = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<number | null>(null);
  const [follows, setFollows] = useState(true);
  const top = useRef(0);
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  useEffect(() => {
    if (follows && !over && events.length > 0) rows.scrollToIndex(events.length - 1);
  }, [events.length, follows, over, rows]);
  const opened = events.find((event) => event.seq === open);
  return (
    <div className={classes.raw}>
      <div
        ref={box}
        className={classes.rawList}
        tabIndex={0}
        role="group"
        aria-label="Events"
        onScroll={({ currentTarget: at }) => {
          // What comes moves nothing up: only a person does.
          if (at.scrollTop < top.current) setFollows(false);
          if (at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_END) setFollows(true);
          top.current = at.scrollTop;
        }}
      >
        <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
          {rows.getVirtualItems().map((row) => {
            const event = events[row.index] as TaskEvent;
            return (
              <button
                type="button"
                key={event.seq}
                className={classes.rawRow}
                style={{ transform: `translateY(${row.start}px)`, height: ROW }}
                aria-pressed={event.seq === open}
                onClick={() => setOpen(event.seq === open ? null : event.seq)}
              >
                <span className="dim">{event.seq}</span>
                <span>{plain(event.type)}</span>
                <span className="dim truncate">{plain(JSON.stringify(rest(event)).slice(0, 400))}</span>
              </button>
            );
          })}
        </div>
      </div>
      {!follows && !over && (
        <button type="button" className={classes.jump} onClick={() => setFollows(true)}>
          Jump to live
        </button>
      )}
      {opened && (
        <div className={`md-code ${classes.rawEvent}`}>
          <CopyButton text={JSON.stringify(opened, null, 2)} />
          <pre className="wrap">{plain(JSON.stringify(opened, null, 2))}</pre>
        </div>
      )}
    </div>
  );
}

function rest(event: TaskEvent): object {
  const { task_id: _task, seq: _seq, type: _type, at: _at, ...more } = event;
  return more;
}

function overOf(state: TaskState): boolean {
  return isOver(state.status);
}

function rawOf(state: TaskState): readonly TaskEvent[] {
  return state.raw;
}
