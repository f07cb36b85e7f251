import { serviceColor, useTheme } from "./useTheme";

export function ServiceName({ service }: { service: string }) {
  const theme = useTheme();
  return (
    <span className="service-name">
      <span className="dot" aria-hidden style={{ background: serviceColor(service, theme) }} />
      <span className="ellipsis">{service}</span>
    </span>
  );
}
