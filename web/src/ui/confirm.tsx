// Asks before something is done that cannot be undone.
import { Button, Group, Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import { Problem } from './feedback';
import { useFocusBack } from './page';

interface Props {
  title: string;
  /** What the buttons say: to leave it as it is, and to do it. */
  no: string;
  yes: string;
  isBusy: boolean;
  error: Error | null;
  onNo: () => void;
  onYes: () => void;
  children: ReactNode;
}

export function Confirm(props: Props): ReactNode {
  useFocusBack();
  return (
    <Modal opened onClose={props.onNo} title={props.title}>
      <p style={{ marginTop: 0 }}>{props.children}</p>
      {props.error && <Problem error={props.error} />}
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={props.onNo}>
          {props.no}
        </Button>
        <Button color="red.9" loading={props.isBusy} onClick={props.onYes}>
          {props.yes}
        </Button>
      </Group>
    </Modal>
  );
}
