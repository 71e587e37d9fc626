import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Chat(): ReactNode {
  return <Page title="Chat">{null}</Page>;
}
