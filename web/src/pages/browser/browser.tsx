import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Browser(): ReactNode {
  return <Page title="Browser">{null}</Page>;
}
