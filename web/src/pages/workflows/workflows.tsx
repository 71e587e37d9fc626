import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Workflows(): ReactNode {
  return <Page title="Workflows">{null}</Page>;
}
