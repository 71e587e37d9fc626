// Our own restrained look: quiet greys, one deep green, colour only where it means something.
import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const pine: MantineColorsTuple = [
  '#eaf5f3',
  '#d3e8e5',
  '#a9d3cd',
  '#7cbdb4',
  '#57a99f',
  '#3b9389',
  '#2b7b73',
  '#1f5f5b',
  '#194e4b',
  '#123a38',
];

export const theme = createTheme({
  primaryColor: 'pine',
  primaryShade: { light: 7, dark: 6 },
  colors: { pine },
  autoContrast: true,
  fontFamily: 'Inter, "Segoe UI", system-ui, -apple-system, "Helvetica Neue", "Liberation Sans", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "JetBrains Mono", "Cascadia Code", "Liberation Mono", Menlo, Consolas, monospace',
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.375rem' }, h2: { fontSize: '1.0625rem' } } },
  defaultRadius: 'md',
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '10px', xl: '16px' },
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    Tooltip: { defaultProps: { openDelay: 350, withArrow: true } },
    Modal: {
      defaultProps: {
        centered: true,
        overlayProps: { backgroundOpacity: 0.45 },
        closeButtonProps: { 'aria-label': 'Close' },
      },
    },
  },
});

const tokens = {
  '--mantine-color-body': 'var(--af-surface)',
  '--mantine-color-text': 'var(--af-text)',
  '--mantine-color-bright': 'var(--af-text)',
  '--mantine-color-dimmed': 'var(--af-dim)',
  '--mantine-color-placeholder': 'var(--af-faint)',
  '--mantine-color-default': 'var(--af-surface)',
  '--mantine-color-default-color': 'var(--af-text)',
  '--mantine-color-default-border': 'var(--af-line-strong)',
  '--mantine-color-default-hover': 'var(--af-hover)',
  '--mantine-color-error': 'var(--st-failed)',
  '--mantine-color-anchor': 'var(--af-accent)',
  '--mantine-color-disabled': 'var(--af-hover)',
  '--mantine-color-disabled-color': 'var(--af-faint)',
  '--mantine-color-disabled-border': 'var(--af-line)',
};

/** Lets Mantine take its greys from our tokens in app.css, in both schemes. */
export const variables: CSSVariablesResolver = () => ({ variables: {}, light: tokens, dark: tokens });
