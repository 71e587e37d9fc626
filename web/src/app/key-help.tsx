import { Kbd, Modal, Switch } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useFocusBack } from '../ui/page';
import { type GO, keysAreOn, switchKeys } from './keyboard';

const NAMES: Record<keyof typeof GO, string> = {
  h: 'Home',
  i: 'Inbox',
  t: 'Tasks',
  c: 'Chat',
  a: 'Agents',
  w: 'Workflows',
  b: 'Browser',
  u: 'Insights',
  s: 'Settings',
};

export default function KeyHelp({ close }: { close: () => void }): ReactNode {
  const [on, setOn] = useState(keysAreOn);
  useFocusBack();
  return (
    <Modal opened onClose={close} title="Keys">
      <dl className="kv" style={{ rowGap: 9 }}>
        <Key keys={['Ctrl', 'K']} what="Search and commands" />
        <Key keys={['c']} what="New task" />
        <Key keys={['/']} what="Search on this page" />
        <Key keys={['?']} what="These keys" />
        {Object.entries(NAMES).map(([key, name]) => (
          <Key key={key} keys={['g', key]} what={name} />
        ))}
      </dl>
      <Switch
        mt="md"
        checked={on}
        label="Single keys work (Ctrl K always does)"
        onChange={(event) => {
          switchKeys(event.currentTarget.checked);
          setOn(event.currentTarget.checked);
        }}
      />
    </Modal>
  );
}

function Key({ keys, what }: { keys: string[]; what: string }): ReactNode {
  return (
    <>
      <dt>
        {keys.map((key) => (
          <Kbd key={key} mr={4}>
            {key}
          </Kbd>
        ))}
      </dt>
      <dd>{what}</dd>
    </>
  );
}
