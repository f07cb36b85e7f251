import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const leaf: MantineColorsTuple = [
  "#e7f8f1",
  "#cdeee0",
  "#9fdec5",
  "#6ccca7",
  "#45bb8e",
  "#27a577",
  "#178f65",
  "#0e8059",
  "#0a7553",
  "#06573d",
];
const dark: MantineColorsTuple = [
  "#dbe2e6",
  "#b7c1c8",
  "#9aa6ae",
  "#6d7880",
  "#3a444b",
  "#242b30",
  "#1a1f23",
  "#14181b",
  "#0d1012",
  "#080a0b",
];

export const theme = createTheme({
  primaryColor: "leaf",
  primaryShade: { light: 8, dark: 8 },
  colors: { leaf, dark },
  autoContrast: true,
  defaultRadius: 6,
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "18px" },
  cursorType: "pointer",
});

/** Mantine's own variables, tied to ours: its dimmed and placeholder colours are too faint for AA. */
export const cssVariablesResolver: CSSVariablesResolver = () => {
  const shared = {
    "--mantine-color-text": "var(--text)",
    "--mantine-color-body": "var(--panel)",
    "--mantine-color-dimmed": "var(--dim)",
    "--mantine-color-placeholder": "var(--dim)",
    "--mantine-color-default-border": "var(--border)",
    "--mantine-color-default": "var(--panel)",
    "--mantine-color-default-hover": "var(--hover)",
    "--mantine-color-default-color": "var(--text)",
    "--mantine-color-anchor": "var(--accent)",
    "--mantine-color-error": "var(--error)",
  };
  return { variables: {}, light: shared, dark: shared };
};
