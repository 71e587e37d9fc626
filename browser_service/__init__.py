"""The browser agent: Chromium by Playwright."""
