import type { ReactNode } from 'react';
import { Page } from '../../ui/page';
export function Register(): ReactNode {
  return <Page title="Register">{null}</Page>;
}
