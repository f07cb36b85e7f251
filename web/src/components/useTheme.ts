import { useComputedColorScheme } from "@mantine/core";

import { ServiceColors, type Theme } from "../lib/colors";

function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

const serviceColors = new ServiceColors(storage());

export function useTheme(): Theme {
  return useComputedColorScheme("light", { getInitialValueInEffect: false });
}

export function serviceColor(service: string, theme: Theme): string {
  return serviceColors.color(service, theme);
}

/** The services that have a colour by now: not all may send traces at this time. */
export function colouredServices(): string[] {
  return serviceColors.names();
}
