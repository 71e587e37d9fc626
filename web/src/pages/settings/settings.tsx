import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Settings(): ReactNode {
  return <Page title="Settings">{null}</Page>;
}
