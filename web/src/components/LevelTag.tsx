import { levelColor } from "../lib/colors";
import { useTheme } from "./useTheme";

export function LevelTag({ level }: { level: string | null }) {
  const theme = useTheme();
  return (
    <span className="level" style={{ color: levelColor(level, theme) }}>
      {level ?? "–"}
    </span>
  );
}
